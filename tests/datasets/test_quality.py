"""Judgements of a quality control choose images, from our CSV and from the toolbox's YAML."""

from pathlib import Path

import pytest

from lumbar.core.errors import DatasetError, TableError
from lumbar.datasets import quality

CSV = 'image,quality,note\na/1.dcm,pass,\na/2.dcm,FAIL,"off, by one"\nb/1.dcm,unsure,\nb/2.dcm,,\n'
IMAGES = [Path(name) for name in ("a/1.dcm", "a/2.dcm", "b/1.dcm", "b/2.dcm", "c/1.dcm")]


@pytest.fixture
def saved(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def write(text, name="qc.csv"):
        (tmp_path / name).write_text(text, encoding="utf-8")
        return tmp_path / name

    return write


def test_only_what_passed_is_chosen_from_a_csv_file(saved):
    read = quality.read(saved(CSV))
    assert read.judged == {"a/1.dcm": "pass", "a/2.dcm": "fail", "b/1.dcm": "unsure", "b/2.dcm": ""}
    assert read.passing(IMAGES) == [Path("a/1.dcm")]
    assert read.passing([Path("a/1.dcm").resolve()]) == [Path("a/1.dcm").resolve()]


def test_what_failed_is_left_out_by_a_yaml_file(saved):
    read = quality.read(saved("FILES_SEG:\n- a/1.dcm\nFILES_LABEL:\n    - a/2.dcm\n    - c/1.dcm\n", "qc_fail.yml"))
    assert read.judged == {"a/2.dcm": "fail", "c/1.dcm": "fail"}, "a failed segmentation says nothing of the labels"
    assert read.passing(IMAGES) == [Path(name) for name in ("a/1.dcm", "b/1.dcm", "b/2.dcm")]


def test_a_bare_name_in_a_yaml_file_stands_for_each_file_of_that_name(saved):
    read = quality.read(saved("FILES_LABEL:\n- 1.dcm\n", "qc_fail.yaml"))
    assert read.passing(IMAGES) == [Path("a/2.dcm"), Path("b/2.dcm")]


@pytest.mark.parametrize("text", ["", "# No picture failed\n", "# No rows matched\n", "FILES_LABEL:\n"])
def test_a_yaml_file_without_failures_leaves_nothing_out(saved, text):
    assert quality.read(saved(text, "qc_fail.yml")).passing(IMAGES) == IMAGES


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("qc.csv", "image,note\na,b\n", "lacks columns"),
        ("qc.csv", CSV + "a/1.dcm,good,\n", "not a judgement"),
        ("qc.csv", CSV + "a/1.dcm,fail,\n", "two judgements"),
        ("qc.yml", "FILES_LABEL: [1, 2]", "not a list of images"),
        ("qc.yml", "FILES_LABEL: a.dcm", "not a list of images"),
        ("qc.yml", "FILES_SEG:\n- a.dcm", "not a list of images"),
        ("qc.yml", "- a.dcm", "not a list of images"),
        ("qc.yml", "just a text", "not a list of images"),
        ("qc.yml", "FILES_LABEL: [", "not a list of images"),
        ("qc.yml", "!!python/object/apply:os.system ['true']", "not a list of images"),
    ],
)
def test_other_files_are_errors(saved, name, text, says):
    with pytest.raises((DatasetError, TableError), match=says):
        quality.read(saved(text, name))


def test_missing_files_are_errors(tmp_path):
    for name in ("no.csv", "no.yml"):
        with pytest.raises((DatasetError, TableError)):
            quality.read(tmp_path / name)

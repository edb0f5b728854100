"""The course runner writes executed notebooks, pages and a summary; a failed notebook does not stop the others."""

import json

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from lumbar.core.errors import OutputError, SettingsError
from lumbar.course import runner


@pytest.fixture
def classroom(tmp_path, monkeypatch):
    """Small notebooks: two record twice their parameter, one fails, and the kernel of one dies."""
    folder = tmp_path / "notebooks"
    folder.mkdir()
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    parameters = new_code_cell("NUMBER = 3  # any number")
    parameters.metadata["tags"] = ["parameters"]
    counting = [parameters, new_code_cell("from lumbar.course import exercises\nexercises.record(double=NUMBER * 2)")]
    nbformat.write(new_notebook(cells=counting, metadata=kernel), folder / "01_count.ipynb")
    failing = [new_markdown_cell("# This fails"), new_code_cell("1 / 0")]
    nbformat.write(new_notebook(cells=failing, metadata=kernel), folder / "02_fail.ipynb")
    dying = [new_code_cell("import os\nos._exit(1)")]
    nbformat.write(new_notebook(cells=dying, metadata=kernel), folder / "03_die.ipynb")
    nbformat.write(new_notebook(cells=counting, metadata=kernel), folder / "04_count_on.ipynb")
    monkeypatch.setattr(runner, "NOTEBOOKS", folder)
    return folder


def profile(tmp_path, text):
    path = tmp_path / "profile.yaml"
    path.write_text(text)
    return path


def test_handouts_leave_what_a_student_has_written(classroom, tmp_path):
    out = tmp_path / "class"
    (file,) = runner.write_handouts(out, ["01"])
    assert nbformat.read(file, as_version=4).cells[0].source == "NUMBER = 3  # any number"
    file.write_text("a student's work")
    with pytest.raises(OutputError, match="there already"):
        runner.write_handouts(out)
    assert [path.name for path in out.iterdir()] == [file.name], "all or nothing"
    assert file.read_text() == "a student's work"


@pytest.mark.slow
def test_a_failed_notebook_is_reported_and_the_others_run(classroom, tmp_path, capsys):
    summary = runner.run_course(tmp_path / "out", profile=profile(tmp_path, "01_count: {NUMBER: 21}"))
    assert [lesson.complete for lesson in summary.lessons] == [True, False, False, True]
    assert summary.lessons[0].recorded == {"double": 42}
    assert "ZeroDivisionError" in str(summary)
    assert "DeadKernelError" in str(summary)
    assert not summary.complete
    written = {path.name for path in (tmp_path / "out").iterdir()}
    pages = {f"{name}.{end}" for name in (path.stem for path in classroom.iterdir()) for end in ("ipynb", "html")}
    assert written == pages | {"index.html", "summary.json"}
    assert json.loads((tmp_path / "out" / "summary.json").read_text())["lessons"][0]["recorded"]["double"] == 42
    assert "double 42" in (tmp_path / "out" / "index.html").read_text()
    assert not nbformat.read(classroom / "01_count.ipynb", 4).cells[1].outputs, "the source is not changed"


WRONG = ["01_count: {NUMBRE: 1}", "07_later: {NUMBER: 1}", "01_count: {NUMBER: .inf}", "01_count: {NUMBER: 1:30}"]


def test_the_values_of_a_profile_are_such_as_a_notebook_can_hold(classroom, tmp_path):
    parameters = new_code_cell('NUMBER = 3  # any number\nSEARCH = "a"  # name of a folder')
    parameters.metadata["tags"] = ["parameters"]
    nbformat.write(new_notebook(cells=[parameters]), classroom / "05_search.ipynb")
    read = runner.read_profile(profile(tmp_path, "05_search: {NUMBER: 1e-3, SEARCH: 2026-11-28}"))
    assert read == {"05_search": {"NUMBER": 0.001, "SEARCH": "2026-11-28"}}


def test_a_damaged_notebook_is_refused_before_the_others_are_executed(classroom, tmp_path):
    (classroom / "04_count_on.ipynb").write_text("{}")
    with pytest.raises(SettingsError, match="not a notebook"):
        runner.run_course(tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("text", WRONG)
def test_an_unknown_notebook_or_parameter_or_a_wrong_value_is_an_error(classroom, tmp_path, text):
    with pytest.raises(SettingsError):
        runner.read_profile(profile(tmp_path, text))


def test_a_missing_profile_is_an_error(classroom, tmp_path):
    with pytest.raises(SettingsError, match="no such profile"):
        runner.read_profile(tmp_path / "quikc.yaml")


def test_some_of_the_notebooks_can_be_selected(classroom):
    assert [path.stem for path in runner.notebooks(["02"])] == ["02_fail"]
    with pytest.raises(SettingsError, match="no such notebook"):
        runner.notebooks(["09"])


def test_a_course_without_notebooks_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(runner, "NOTEBOOKS", tmp_path)
    with pytest.raises(SettingsError, match="no notebooks"):
        runner.run_course(tmp_path / "out")

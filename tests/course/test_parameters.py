"""Parameter files are read by the rules of YAML 1.2, and a value that a notebook cannot hold is an error."""

import codecs
import math

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from lumbar.core.errors import SettingsError
from lumbar.course.parameters import check_parameters, read_mapping

DEFAULTS = """RATE = 0.1  # a number
STEP = 10 ** -3  # arithmetic
SIZES = [16, 32]  # a list of numbers
LIMIT = None  # anything
FOLDER = str(3)  # an expression
WORD = "a"  # text"""


@pytest.fixture
def notebook(tmp_path):
    cell = new_code_cell(DEFAULTS)
    cell.metadata["tags"] = ["parameters"]
    path = tmp_path / "defaults.ipynb"
    nbformat.write(new_notebook(cells=[cell]), path)
    return path


def written(folder, content):
    path = folder / "parameters.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("1E5", 100000.0),
        ("-.5", -0.5),
        ("1.", 1.0),
        ("010", 10),
        ("-08", -8),
        ("0o10", 8),
        ("0x1F", 31),
        ("1_000", 1000),
        ("1:30", "1:30"),
        ("1:30.5", "1:30.5"),
        ("2026-11-28", "2026-11-28"),
        ("2026-11-28 10:00:00", "2026-11-28 10:00:00"),
        ("'1e-3'", "1e-3"),
        ("1.2.3", "1.2.3"),
        ("1e", "1e"),
        ("=", "="),
        ("yes", True),
        ("false", False),
        ("null", None),
    ],
)
def test_a_value_is_the_same_alone_in_a_list_and_in_a_mapping(tmp_path, text, value):
    content = read_mapping(written(tmp_path, f"ALONE: {text}\nLIST: [[{text}]]\n03_lesson: {{NESTED: {text}}}"))
    assert content == {"ALONE": value, "LIST": [[value]], "03_lesson": {"NESTED": value}}
    assert type(content["ALONE"]) is type(content["LIST"][0][0]) is type(value)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16-le", "utf-16-be"])
def test_the_usual_encodings_of_windows_are_read(tmp_path, encoding):
    mark = {"utf-16-le": codecs.BOM_UTF16_LE, "utf-16-be": codecs.BOM_UTF16_BE}.get(encoding, b"")
    content = mark + "WORD: [größer, 1]  # für alle\r\n".encode(encoding)
    assert read_mapping(written(tmp_path, content)) == {"WORD": ["größer", 1]}


def test_another_encoding_is_refused_rather_than_guessed(tmp_path):
    for encoding in ("latin-1", "utf-16-be"):  # without a byte order mark
        with pytest.raises(SettingsError, match="not text in UTF-8") as refusal:
            read_mapping(written(tmp_path, "WORD: größer".encode(encoding)))
        assert refusal.value.remedy == "save it with the encoding UTF-8"


@pytest.mark.parametrize("text", ["!!bool maybe", "!!int x", "!!timestamp x", "!!python/name:os.x", "[" * 9999, "*x"])
def test_what_yaml_cannot_read_is_refused(tmp_path, text):
    path = written(tmp_path, f"A: {text}")
    with pytest.raises(SettingsError, match="not a YAML file") as refusal:
        read_mapping(path)
    assert refusal.value.file == str(path)


def test_names_are_text_and_none_occurs_twice_at_any_depth(tmp_path):
    assert read_mapping(written(tmp_path, "ON: 1\n7: 2\n2026-11-28: 3")) == {"ON": 1, "7": 2, "2026-11-28": 3}
    merged = read_mapping(written(tmp_path, "A: &few {X: 1, Y: 2}\nB: {<<: *few, X: 3}"))
    assert merged["B"] == {"X": 3, "Y": 2}, "a merged value may be replaced"
    path = written(tmp_path, "01_explore: {SEED: 1}\n02_preprocess:\n  SEED: 1\n  SEED: 2")
    with pytest.raises(SettingsError, match="a name occurs twice") as refusal:
        read_mapping(path)
    error = refusal.value
    assert (error.file, error.field, error.found) == (str(path), "SEED", "again in line 4")


@pytest.mark.parametrize("text", ["RATE: fast", "RATE: 1:30", "STEP: '1e-3'", "SIZES: [16, 1:30]", "RATE: [1, fast]"])
def test_text_in_place_of_a_number_is_refused(notebook, tmp_path, text):
    path = written(tmp_path, text)
    with pytest.raises(SettingsError, match="must be a number"):
        check_parameters(notebook, {name: [value] for name, value in read_mapping(path).items()}, file=path)


@pytest.mark.parametrize(
    "value", [".inf", "-.inf", ".nan", "1e400", "[1, .inf]", "{a: .nan}", "!!timestamp 2026-11-28", "&a [*a]"]
)
def test_a_value_that_a_notebook_cannot_hold_is_refused(notebook, tmp_path, value):
    path = written(tmp_path, f"LIMIT: {value}")
    with pytest.raises(SettingsError, match="cannot be the value of a parameter") as refusal:
        check_parameters(notebook, {"LIMIT": [read_mapping(path)["LIMIT"]]}, file=path)
    assert (refusal.value.file, refusal.value.field) == (str(path), "LIMIT")


def test_every_other_value_is_accepted(notebook, tmp_path):
    text = "RATE: 1e-3\nSTEP: 2\nSIZES: [1e1, 2]\nLIMIT: 1:30\nFOLDER: 2026-11-28\nWORD: {a: [1, null, true]}"
    content = read_mapping(written(tmp_path, text))
    check_parameters(notebook, {name: [value] for name, value in content.items()}, file=tmp_path)
    assert math.isclose(content["RATE"], 0.001)

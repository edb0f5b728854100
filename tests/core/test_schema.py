"""A setting is defined once for flags, JSON and the dataclass, and the error for an invalid value names it."""

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lumbar.core import schema
from lumbar.core.errors import LumbarError, ScanError, SettingsError
from lumbar.storage import files


@dataclass(frozen=True)
class Example:
    data: Path | None = schema.setting(None, "folder of the data set")
    views: tuple[str, ...] = schema.setting(("sagittal",), "planes", choices=("sagittal", "axial"))
    epochs: int = schema.setting(50, "passes over the training images", at_least=1)
    learning_rate: float = schema.setting(0.001, "step size of Adam", at_least=0)
    shuffle: bool = schema.setting(True, "another order each epoch (50 % by chance)")


def parse(*words: str) -> Example:
    parser = argparse.ArgumentParser()
    schema.add_flags(parser, Example)
    return schema.from_flags(Example, parser.parse_args(words))


def test_no_flags_mean_the_defaults():
    assert parse() == Example()


def test_flags_reach_their_settings():
    asked = parse(
        "--data", "here", "--views", "axial", "sagittal", "--epochs", "3", "--learning-rate", "1", "--no-shuffle"
    )
    assert asked == Example(Path("here"), ("axial", "sagittal"), 3, 1.0, False)


@given(
    data=st.none() | st.just(Path("some/folder")),
    views=st.lists(st.sampled_from(["sagittal", "axial"]), min_size=1).map(tuple),
    epochs=st.integers(1, 10**6),
    learning_rate=st.floats(0, 1),
    shuffle=st.booleans(),
)
def test_json_round_trip(**values):
    example = Example(**values)
    assert schema.from_dict(Example, json.loads(json.dumps(schema.to_dict(example)))) == example


@pytest.mark.parametrize(
    "values",
    [
        {"epoch": 3},
        {"epochs": 0},
        {"epochs": 2.5},
        {"epochs": "many"},
        {"epochs": True},
        {"views": ["oblique"]},
        {"learning_rate": -1.0},
        {"learning_rate": float("nan")},
        {"shuffle": "yes"},
        {"epochs": None},
    ],
)
def test_an_invalid_value_is_an_error_that_names_the_setting(values):
    (name,) = values
    with pytest.raises(SettingsError, match=name):
        schema.from_dict(Example, values)


def test_the_help_shows_defaults(capsys):
    with pytest.raises(SystemExit):
        parse("--help")
    assert "(default: 50)" in capsys.readouterr().out


def test_json_is_written_completely_or_not_at_all(tmp_path):
    path = tmp_path / "config.json"
    files.write_json(path, {"epochs": 1})
    with pytest.raises(TypeError):
        files.write_json(path, {("a", "tuple"): 1})
    assert json.loads(path.read_text()) == {"epochs": 1}
    assert [entry.name for entry in tmp_path.iterdir()] == ["config.json"]


def test_an_error_says_where_and_what_to_do_and_can_be_pickled():
    import pickle

    error = ScanError("no pixels", file="a.dcm", field="PixelData", found="nothing", remedy="export it again")
    again = pickle.loads(pickle.dumps(error))
    assert isinstance(again, ScanError)
    assert str(again) == str(error)
    for part in ("no pixels", "a.dcm", "PixelData", "what to do: export it again"):
        assert part in str(again)
    assert isinstance(again, LumbarError)


@dataclass(frozen=True)
class Renamed:
    resize: str = schema.setting("stretch", "how", choices=("stretch", "letterbox"), first_released_as="fitting")
    seed: int = schema.setting(0, "of the split")


def test_a_setting_that_was_renamed_is_still_known_by_its_first_name(capsys):
    parser = argparse.ArgumentParser()
    schema.add_flags(parser, Renamed)
    asked = schema.from_flags(Renamed, parser.parse_args(["--fitting", "letterbox"]))
    assert asked == Renamed(resize="letterbox") == schema.from_dict(Renamed, {"fitting": "letterbox"})
    assert capsys.readouterr().err.count("the setting fitting is now called resize (--resize)") == 1, "noted once"
    assert "--resize" in parser.format_help()
    assert "--fitting" not in parser.format_help()
    assert schema.first_released_names(asked) == {"fitting": "letterbox", "seed": 0}
    assert schema.to_dict(asked) == {"resize": "letterbox", "seed": 0}
    with pytest.raises(SettingsError, match="resize"):
        schema.from_dict(Renamed, {"fitting": "squeeze"})

"""The values that a sweep gives a notebook's parameters: a YAML file ``PARAMETER: [value, value, …]``."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lumbar.core.errors import SettingsError
from lumbar.course.execution import check_parameters, read_mapping

SCALARS = (str, int, float, bool, type(None))


@dataclass(frozen=True)
class Grid:
    """Values of each parameter, in the order of the file."""

    offered: dict[str, list[Any]]

    @property
    def combinations(self) -> list[dict[str, Any]]:
        """One value of each parameter, in all ways; the last parameter changes fastest."""
        return [dict(zip(self.offered, each, strict=True)) for each in itertools.product(*self.offered.values())]

    @property
    def varied(self) -> list[str]:
        """Parameters with more than one value."""
        return [name for name, values in self.offered.items() if len(values) > 1]


def read_grid(path: Path, notebook: Path) -> Grid:
    """The grid in a YAML file.

    Raises:
        SettingsError: If it is no grid of parameters of this notebook.
    """
    if not path.is_file():
        raise SettingsError("no such grid", file=path, expected="a YAML file of lines PARAMETER: [value, value, …]")
    values = {}
    for name, given in read_mapping(path).items():
        values[str(name)] = each = given if isinstance(given, list) else [given]
        if not each:
            raise SettingsError("this parameter has no values", file=path, field=name, expected="at least one")
        for place, value in enumerate(each):
            if not _is_plain(value):
                raise SettingsError(
                    "this is no value of a parameter",
                    file=path,
                    field=name,
                    found=repr(value),
                    expected="a number, text, true or false, or a list of them",
                )
            if in_words(value) in map(in_words, each[:place]):
                raise SettingsError(
                    "the same value stands there twice", file=path, field=name, found=value, expected="each value once"
                )
    if not values:
        raise SettingsError("the grid is empty", file=path, expected="lines PARAMETER: [value, value, …]")
    check_parameters(notebook, values, file=path)
    return Grid(values)


def _is_plain(value: Any) -> bool:
    return isinstance(value, SCALARS) or (isinstance(value, list) and all(isinstance(each, SCALARS) for each in value))


def in_words(value: Any) -> str:
    """A value as the table shows it."""
    return json.dumps(value, ensure_ascii=False)

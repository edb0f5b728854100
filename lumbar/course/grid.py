"""Read the parameter values of a sweep from a YAML file with lines ``PARAMETER: [value, value, …]``."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lumbar.core.errors import SettingsError
from lumbar.course.parameters import check_parameters, read_mapping

SCALARS = (str, int, float, bool, type(None))


@dataclass(frozen=True)
class Grid:
    """The values of each parameter, in the order of the file."""

    offered: dict[str, list[Any]]

    @property
    def combinations(self) -> list[dict[str, Any]]:
        """All combinations of one value per parameter; the last parameter changes fastest."""
        return [dict(zip(self.offered, each, strict=True)) for each in itertools.product(*self.offered.values())]

    @property
    def varied(self) -> list[str]:
        """Parameters with more than one value."""
        return [name for name, values in self.offered.items() if len(values) > 1]


def read_grid(path: Path, notebook: Path) -> Grid:
    """Return the grid in a YAML file.

    Args:
        path: The YAML file.
        notebook: The notebook whose parameters it varies.

    Raises:
        SettingsError: If the file is not a grid of parameters of this notebook.
    """
    if not path.is_file():
        raise SettingsError("no such grid", file=path, expected="a YAML file of lines PARAMETER: [value, value, …]")
    values = {}
    for name, given in read_mapping(path).items():
        values[name] = each = given if isinstance(given, list) else [given]
        if not each:
            raise SettingsError("this parameter has no values", file=path, field=name, expected="at least one value")
        for position, value in enumerate(each):
            if not _is_plain(value):
                raise SettingsError(
                    "this cannot be the value of a parameter",
                    file=path,
                    field=name,
                    found=repr(value),
                    expected="a finite number, text, true or false, null, or a list of them",
                )
            if as_text(value) in map(as_text, each[:position]):
                raise SettingsError(
                    "a value occurs twice", file=path, field=name, found=value, expected="each value once"
                )
    if not values:
        raise SettingsError("the grid is empty", file=path, expected="lines PARAMETER: [value, value, …]")
    check_parameters(notebook, values, file=path)
    return Grid(values)


def _is_plain(value: Any) -> bool:
    return isinstance(value, SCALARS) or (isinstance(value, list) and all(isinstance(each, SCALARS) for each in value))


def as_text(value: Any) -> str:
    """Return a value as JSON text, for tables."""
    return json.dumps(value, ensure_ascii=False)

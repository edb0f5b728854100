"""Compare the combinations of a sweep: what their notebooks recorded, as a table and as a figure."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lumbar.core.errors import SettingsError
from lumbar.course.execution import Executed
from lumbar.course.grid import as_text

if TYPE_CHECKING:
    import pandas as pd

_NOT_FINITE = {text: float(text) for text in ("nan", "inf", "-inf")}
"""How Jupyter stores numbers that are not finite in the output of a notebook → the number."""

NAMED = 3
"""Largest number of combinations that a sentence names."""


def read_record(folder: Path) -> dict[str, Any] | None:
    """Return the record of a combination; None if it has not been executed."""
    path = folder / "record.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def tabulate(combinations: dict[Path, dict[str, Any]], varied: list[str]) -> pd.DataFrame:
    """Return one row per combination: its folder, the varied parameters, state, minutes, recorded values, error.

    A recorded value whose name is that of another column is in the column "NAME (recorded)".

    Args:
        combinations: Folder of a combination that has been executed → its parameters.
        varied: Names of the parameters that vary.
    """
    import pandas as pd

    rows, names = [], {}
    for folder, parameters in combinations.items():
        executed = Executed(**{name: value for name, value in read_record(folder).items() if name != "parameters"})
        row = {"combination": folder.name, **{name: _shown(parameters[name]) for name in varied}}
        row |= {"state": executed.state, "minutes": executed.minutes, "error": executed.error}
        recorded = {f"{name} (recorded)" if name in row else name: value for name, value in executed.recorded.items()}
        rows.append(row | recorded)
        names |= recorded
    return pd.DataFrame(rows, columns=["combination", *varied, "state", "minutes", *names, "error"])


def _shown(value: Any) -> Any:
    return as_text(value) if isinstance(value, list) else "none" if value is None else value


def restore_numbers(table: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, list[str]]]:
    """Turn the text that Jupyter stores for numbers that are not finite into numbers.

    Args:
        table: What `tabulate` returns.

    Returns:
        The table, and which numbers diverged: name of a recorded number → combinations in which it is not finite. In
        the table such a number is NaN or infinite; one that was not recorded is NaN, too.
    """
    import pandas as pd

    restored, diverged = table.copy(), {}
    for name in recorded_names(table):
        given = table[name].dropna()
        numbers = [_NOT_FINITE.get(value, value) if isinstance(value, str) else value for value in given]
        if all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in numbers):
            strange = [not math.isfinite(number) for number in numbers]
            if any(strange):
                restored[name] = pd.Series(numbers, index=given.index, dtype=float).reindex(table.index)
                diverged[name] = list(table.loc[given.index[strange], "combination"])
    return restored, diverged


def describe_diverged(table: pd.DataFrame, varied: list[str], diverged: dict[str, list[str]]) -> list[str]:
    """Return one sentence for each number that diverged, with the first combinations and their parameters."""
    rows = {row["combination"]: row for row in table.to_dict("records")}
    sentences = []
    for name, combinations in diverged.items():
        named = []
        for each in combinations[:NAMED]:
            parameters = ", ".join(f"{parameter} {rows[each][parameter]}" for parameter in varied)
            named.append(f"{each} ({parameters})" if parameters else each)
        rest = len(combinations) - len(named)
        more = f" and {rest} more" if rest else ""
        sentences.append(
            f"{name} is not a finite number in {len(combinations)} of {len(rows)} combinations: "
            f"{', '.join(named)}{more}"
        )
    return sentences


def recorded_names(table: pd.DataFrame) -> list[str]:
    """Return the names of the columns of recorded values."""
    columns = list(table)
    return columns[columns.index("minutes") + 1 : -1]


def is_boolean(column: pd.Series) -> bool:
    """Return whether a column holds nothing but True and False, as the outcomes of exercises."""
    return all(str(value) in ("True", "False") for value in column.dropna())


def plot(
    path: Path,
    table: pd.DataFrame,
    varied: list[str],
    metrics: Sequence[str] | None = None,
    diverged: dict[str, list[str]] | None = None,
) -> Path | None:
    """Plot the metrics over the varied parameters; return the path of the figure, or None if there is nothing to plot.

    Args:
        path: Path of the figure; a figure that is there is removed if there is nothing to plot.
        table: What `restore_numbers` returns.
        varied: Names of the parameters that vary.
        metrics: Recorded numbers to plot; by default all that differ. One that is finite nowhere is left out.
        diverged: What `restore_numbers` returns.

    Raises:
        SettingsError: If no combination recorded a number in `metrics`.
    """
    import numpy as np
    from pandas.api.types import is_numeric_dtype

    diverged = diverged or {}
    recorded = [
        name
        for name in recorded_names(table)
        if name in diverged or (is_numeric_dtype(table[name]) and not is_boolean(table[name]))
    ]
    for name in metrics or ():
        if name not in [*recorded, "minutes"]:
            raise SettingsError(
                "no combination recorded a number of this name",
                field="metric",
                found=name,
                expected=", ".join([*recorded, "minutes"]),
            )
    finite = {name: set(table[name][np.isfinite(table[name].astype(float))]) for name in [*recorded, "minutes"]}
    chosen = metrics or [name for name in recorded if len(finite[name]) > 1] or recorded
    chosen = [name for name in chosen if finite[name]]
    if not varied or not chosen:
        path.unlink(missing_ok=True)
        return None
    from lumbar import figures

    told = {name: combinations for name, combinations in diverged.items() if name in chosen}
    note = "; ".join(describe_diverged(table, varied, told))
    figures.sweep_results(table, varied, chosen, note=note).savefig(path)
    return path

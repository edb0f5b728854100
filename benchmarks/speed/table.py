"""The results: text for the screen, tables between two marks of speed.md, and speed.json with every value."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks.speed.figure import Figure
from lumbar.storage.files import atomic_write, write_json

BEGIN, END = "<!-- measured: written by python -m benchmarks.speed -->", "<!-- end of measured -->"


class Results:
    """The results of all rows; rows that are not measured keep the results of the last time.

    Args:
        folder: Folder of speed.json and speed.md; they need not exist.
    """

    def __init__(self, folder: Path):
        self.json, self.markdown = folder / "speed.json", folder / "speed.md"
        self.rows: dict[str, Any] = {}
        if self.json.is_file():
            self.rows = json.loads(self.json.read_text(encoding="utf-8"))

    def add(self, row: str, machine: dict[str, Any], figures: list[Figure], seconds: float, order: list[str]) -> None:
        """Add the results of a row, and write both files.

        Args:
            row: Name of the row.
            machine: The machine and the software, see `machine.described`.
            figures: The figures of the row.
            seconds: How long the row took.
            order: Names of all rows, in the order of the tables.
        """
        plain = [figure.plain() | {"cells": figure.cells()} for figure in figures]
        self.rows[row] = {"machine": machine, "seconds": round(seconds), "figures": plain}
        self.rows = {name: self.rows[name] for name in order if name in self.rows}
        write_json(self.json, self.rows)
        before = self.markdown.read_text(encoding="utf-8") if self.markdown.is_file() else ""
        before = before if BEGIN in before else f"{before}\n{BEGIN}\n{END}\n"
        head, _, rest = before.partition(BEGIN)
        _, _, tail = rest.partition(END)
        with atomic_write(self.markdown) as temporary:
            temporary.write_text(f"{head}{BEGIN}\n{self._markdown()}\n{END}{tail}", encoding="utf-8")

    def _markdown(self) -> str:
        """Return the tables of all rows."""
        lines = []
        for name, row in self.rows.items():
            machine = row["machine"]
            lines += ["", f"**{name}**, {machine['date'][:10]}, {machine['processor']}, {machine['cores']} cores", ""]
            columns = list(row["figures"][0]["cells"])
            lines += [f"| {' | '.join(columns)} |", f"|{' --- |' * len(columns)}"]
            for figure in row["figures"]:
                lines.append(f"| {' | '.join(cell.replace('|', '/') for cell in figure['cells'].values())} |")
        return "\n".join(lines).strip()


def as_text(figures: list[Figure]) -> str:
    """Return figures as text for the screen, one block per figure."""
    blocks = []
    for figure in figures:
        cells = figure.cells()
        shown = [f"{name}: {cell}" for name, cell in list(cells.items())[1:] if cell]
        blocks.append("\n    ".join([cells["what"], *shown]))
    return "\n".join(blocks)

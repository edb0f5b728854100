"""A measured figure: its values, what it is compared with, and the goal."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Goal:
    """A goal for a figure, or for its ratio to what it is compared with.

    Args:
        least: Smallest value that meets the goal; None if the goal is an upper bound.
        most: Largest value that meets the goal; None if the goal is a lower bound.
        of: "figure" or "ratio", what the goal is for.
    """

    least: float | None = None
    most: float | None = None
    of: str = "figure"

    def __str__(self) -> str:
        sign, bound = ("≥", self.least) if self.least is not None else ("≤", self.most)
        return f"{sign} {bound:g}" + ("×" if self.of == "ratio" else "")

    def verdict(self, value: float) -> str:
        """Return whether a value meets the goal, and by how much, as text."""
        met = value >= self.least if self.least is not None else value <= self.most
        times = value / self.least if self.least is not None else self.most / max(value, 1e-9)
        if met:
            return f"yes, {times:.2f}× the goal" if times < 100 else "yes, by far"
        return f"no, {times:.2f}× the goal"


@dataclass(frozen=True)
class Figure:
    """One line of the table.

    Args:
        what: What was measured.
        unit: Unit of the figure.
        values: Measured values, one per round.
        beside: What the figure is compared with; "" for nothing.
        others: Values of what it is compared with, in the same rounds.
        more_is_better: Whether a larger figure is better, as with images per second.
        goal: Goal for the figure or the ratio.
        limit: What limits the figure.
        note: What a reader must know; if there is no figure, the reason.
        bound: "≥" if a run was cut off, so that the true ratio is at least the one given.
        details: Further measurements, for speed.json.
    """

    what: str
    unit: str = ""
    values: tuple[float, ...] = ()
    beside: str = ""
    others: tuple[float, ...] = ()
    more_is_better: bool = True
    goal: Goal | None = None
    limit: str = ""
    note: str = ""
    bound: str = ""
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def value(self) -> float | None:
        """Median of the rounds; None if nothing was measured."""
        return statistics.median(self.values) if self.values else None

    @property
    def ratios(self) -> list[float]:
        """How many times better the figure is than what it is compared with, in each round."""
        pairs = zip(self.values, self.others, strict=False)
        return [(own / other if self.more_is_better else other / own) for own, other in pairs]

    @property
    def verdict(self) -> str:
        """Whether the goal is met, and by how much; "" without a goal or a figure."""
        judged = self.ratios if self.goal and self.goal.of == "ratio" else self.values
        if self.goal is None or not judged:
            return ""
        verdict = self.goal.verdict(statistics.median(judged))
        if self.bound and self.goal.of == "ratio" and verdict.startswith("no"):
            return f"not seen: measured up to {statistics.median(judged):.1f}×"
        return verdict

    def cells(self) -> dict[str, str]:
        """Return the cells of the table: name of the column → text."""
        ratios, note = self.ratios, self.note
        value = "" if self.value is None else f"{_short(self.value)} {self.unit}".strip()
        ratio = ""
        if ratios:
            ratio = f"{self.bound}{statistics.median(ratios):.2f}×"
            ratio += f" [{min(ratios):.2f}, {max(ratios):.2f}]" if len(ratios) > 1 and not self.bound else ""
        beside = self.beside
        if self.others:
            beside += f": {_short(statistics.median(self.others))} {self.unit}"
        return {
            "what": self.what,
            "figure": value,
            "beside": beside,
            "ratio [least, most]": ratio,
            "goal": str(self.goal or ""),
            "met": self.verdict,
            "what limits it; remarks": "; ".join(filter(None, (self.limit, note))),
        }

    def plain(self) -> dict[str, Any]:
        """Return the figure as plain values for JSON, without empty ones."""
        found = {
            "what": self.what,
            "unit": self.unit,
            "value": self.value,
            "values": list(self.values),
            "beside": self.beside,
            "others": list(self.others),
            "ratio": statistics.median(self.ratios) if self.ratios else None,
            "ratio_is_a_lower_bound": bool(self.bound),
            "goal": str(self.goal or ""),
            "met": self.verdict,
            "limit": self.limit,
            "note": self.note,
            "details": self.details,
        }
        return {name: value for name, value in found.items() if value not in ("", None, [], {}, False)}


def compared(
    found: dict[str, list[float]], missing: dict[str, str], what: str, own: str, beside: str, **options: Any
) -> Figure:
    """Make a figure from what our side and another one measured in turns.

    Args:
        found: Measured values of each side, from `side.in_turns`.
        missing: Why sides could not be measured, from `side.in_turns`.
        what: What was measured.
        own: Name of our side.
        beside: Name of the other side.
        options: Further arguments of `Figure`.
    """
    absent = missing.get(own) or missing.get(beside)
    note = "; ".join(filter(None, (options.pop("note", ""), absent)))
    values, others = found.get(own, ()), found.get(beside, ())
    return Figure(what, values=tuple(values), beside=beside, others=tuple(others), note=note, **options)


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"

"""The house style, and the one kind of figure that every plot is: one that carries its text alternative."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from cycler import cycler
from matplotlib.figure import Figure

from lumbar.landmarks import LEVELS, PARTS, SIDES
from lumbar.storage.files import atomic_write

SKY, ORANGE, GREEN, PURPLE, VERMILION, BLUE, YELLOW, BLACK = (
    "#56B4E9",
    "#E69F00",
    "#009E73",
    "#CC79A7",
    "#D55E00",
    "#0072B2",
    "#F0E442",
    "#222222",
)
"""Okabe and Ito's colours, which people with any kind of colour blindness can tell apart."""

GREY = "#8A8A8A"

CHANNEL_COLOURS = dict(zip((*LEVELS, *SIDES), (SKY, ORANGE, GREEN, PURPLE, VERMILION, BLUE, YELLOW), strict=True))
"""A colour for each landmark; it is the same in every figure."""

CHANNEL_MARKERS = dict(zip((*LEVELS, *SIDES), "osD^v<>", strict=True))
"""A shape for each landmark, for those who see no colours at all."""

PART_COLOURS = dict(zip(PARTS, (BLUE, ORANGE, GREEN), strict=True))

STYLE: dict[str, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": "#555555",
    "axes.grid": True,
    "axes.labelcolor": BLACK,
    "axes.labelsize": 11,
    "axes.prop_cycle": cycler(color=[BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY, BLACK]),
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 12,
    "figure.constrained_layout.use": True,
    "figure.dpi": 100,
    "figure.facecolor": "white",
    "figure.titlesize": 14,
    "figure.titleweight": "bold",
    "font.size": 10.5,
    "grid.color": "#E4E4E4",
    "grid.linewidth": 0.8,
    "image.cmap": "gray",
    "legend.fontsize": 10,
    "legend.frameon": False,
    "lines.linewidth": 2.0,
    "savefig.dpi": 120,
    "text.color": BLACK,
    "xtick.color": "#444444",
    "ytick.color": "#444444",
}
"""Matplotlib settings of the house."""


def use_house_style() -> None:
    """Give plots of your own, drawn with pyplot or seaborn, the look of the figures here."""
    mpl.rcParams.update(STYLE)


class Drawing(Figure):
    """A matplotlib figure with a text alternative, for readers who cannot see it.

    As the last line of a notebook cell it shows itself, with the text where nbconvert looks for it: the HTML page then
    says ``<img alt="…">``. A saved PNG carries the same text as its ``Description``. It is no pyplot figure: it
    needs no window system, is never shown twice, and is gone when nothing refers to it any more.

    Attributes:
        alt: What the figure shows, in words; a function that draws it sets it.
    """

    alt: str = ""

    def _ipython_display_(self) -> None:
        # Not _repr_mimebundle_: the formatter that %matplotlib inline registers for figures would override it.
        from IPython.display import display

        buffer = io.BytesIO()
        super().savefig(buffer, format="png", dpi=STYLE["figure.dpi"], metadata=self._described)
        data = {"image/png": buffer.getvalue(), "text/plain": f"[Figure: {self.alt}]"}
        display(data, raw=True, metadata={"image/png": {"alt": self.alt}})

    def savefig(self, fname: Any, **options: Any) -> None:
        """As matplotlib's, but a file appears under its name only when it is whole, and a PNG is described."""
        if not isinstance(fname, (str, os.PathLike)):
            super().savefig(fname, **options)
            return
        path = Path(fname)
        kind = options.pop("format", path.suffix.removeprefix(".") or "png")
        if kind == "png":
            options.setdefault("metadata", self._described)
        with atomic_write(path) as temporary:
            super().savefig(temporary, format=kind, **{"dpi": STYLE["savefig.dpi"], **options})

    @property
    def _described(self) -> dict[str, str]:
        return {"Description": self.alt, "Software": "lumbar"}


def display(*figures: Drawing) -> None:
    """Show figures in a notebook from the middle of a cell; at its end the figure's name alone does."""
    for figure in figures:
        figure._ipython_display_()


def styled(draw):
    """Decorator: draw in the house style without touching matplotlib's settings for anyone else."""
    return mpl.rc_context(STYLE)(draw)


def colour(channel: str) -> str:
    """The landmark's colour."""
    return CHANNEL_COLOURS.get(channel, BLACK)


def marker(channel: str) -> str:
    """The landmark's shape."""
    return CHANNEL_MARKERS.get(channel, "o")


def number(value: float) -> str:
    """A number for a reader: three digits that matter."""
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"


def wide(low: float, high: float) -> bool:
    """Whether numbers from `low` to `high` are better told apart on a logarithmic axis."""
    return low > 0 and high / low > 20


def listed(names: Iterable[str]) -> str:
    """Names in a sentence: "a, b and c"."""
    names = list(names)
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else "nothing"


def names_for(channels: Sequence[str] | None, count: int) -> tuple[str, ...]:
    """The channels' names; if nobody gave them, those that `count` points usually have."""
    usual = {5: LEVELS, 2: SIDES, 7: (*LEVELS, *SIDES)}
    names = tuple(channels) if channels is not None else usual.get(count, tuple(f"point {n + 1}" for n in range(count)))
    if len(names) != count:
        raise ValueError(f"{count} points a picture need as many names, got {len(names)}: {names}")
    return names

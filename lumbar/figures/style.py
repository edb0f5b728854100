"""The house style, and the class of all figures: a matplotlib figure with a text alternative."""

from __future__ import annotations

import io
import os
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from cycler import cycler
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.textpath import TextPath
from matplotlib.ticker import LogLocator, NullFormatter

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
"""Colours of Okabe and Ito, which people with any kind of colour blindness can distinguish."""

GREY = "#8A8A8A"

CHANNEL_COLOURS = dict(zip((*LEVELS, *SIDES), (SKY, ORANGE, GREEN, PURPLE, VERMILION, BLUE, YELLOW), strict=True))
"""Landmark → colour, the same in every figure."""

CHANNEL_MARKERS = dict(zip((*LEVELS, *SIDES), "osD^v<>", strict=True))
"""Landmark → shape of its mark, for readers who see no colours."""

OUTLINES = {
    "o": "M-5.5 0a5.5 5.5 0 1 0 11 0a5.5 5.5 0 1 0-11 0z",
    "s": "M-5-5h10v10h-10z",
    "D": "M0-6.5 6.5 0 0 6.5-6.5 0z",
    "^": "M0-6.5 6 5h-12z",
    "v": "M0 6.5 6-5h-12z",
    "<": "M-6.5 0 5-6v12z",
    ">": "M6.5 0-5-6v12z",
}
"""Shape of a mark → its outline as an SVG path centred at (0, 0), for pages."""

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
"""Matplotlib settings of the house style."""


def use_house_style() -> None:
    """Apply the house style to your own plots, made with pyplot or seaborn."""
    mpl.rcParams.update(STYLE)


class Drawing(Figure):
    """A matplotlib figure with a text alternative, for readers who cannot see it.

    On the last line of a notebook cell it shows itself, with the text where nbconvert looks for it, so that the HTML
    page says ``<img alt="…">``. A saved PNG carries the same text as its ``Description``. It is not a pyplot figure: it
    needs no window system, is never shown twice, and is freed when nothing refers to it any more.

    Attributes:
        alt: What the figure shows, in words; the function that makes the figure sets it.
    """

    alt: str = ""

    def _ipython_display_(self) -> None:
        # Not _repr_mimebundle_: the formatter that %matplotlib inline registers for figures would override it.
        from IPython.display import display

        data, metadata = self.as_output()
        display(data, raw=True, metadata=metadata)

    def as_output(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the figure as data of a notebook's output, by MIME type, and the metadata with its text."""
        buffer = io.BytesIO()
        super().savefig(buffer, format="png", dpi=STYLE["figure.dpi"], metadata=self._described)
        data = {"image/png": buffer.getvalue(), "text/plain": f"[Figure: {self.alt}]"}
        return data, {"image/png": {"alt": self.alt}}

    def savefig(self, fname: Any, **options: Any) -> None:
        """Save the figure as matplotlib does, but write a file as a whole or not at all, and describe a PNG.

        Args:
            fname: Path, or an open file.
            **options: As for `matplotlib.figure.Figure.savefig`.
        """
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
    """Show figures from the middle of a notebook cell; the last line of a cell needs only the figure's name.

    Args:
        *figures: Figures to show, in order.
    """
    for figure in figures:
        figure._ipython_display_()


def styled(plot):
    """Decorate a function that makes a figure, so that it uses the house style; matplotlib's settings do not change.

    Args:
        plot: Function that returns a figure.
    """
    return mpl.rc_context(STYLE)(plot)


def colour(channel: str) -> str:
    """Return the colour of a landmark, as #RRGGBB; black for an unknown one."""
    return CHANNEL_COLOURS.get(channel, BLACK)


def marker(channel: str) -> str:
    """Return the shape of a landmark's mark, as a matplotlib marker; a disc for an unknown one."""
    return CHANNEL_MARKERS.get(channel, "o")


def outlined(width: float) -> list[withStroke]:
    """Return the effect that shows a line or text on dark and bright tissue: a black line below it, `width` points."""
    return [withStroke(linewidth=width, foreground="black")]


def outline(channel: str) -> str:
    """Return the outline of a landmark's mark, as an SVG path centred at (0, 0)."""
    return OUTLINES[marker(channel)]


def format_number(value: float) -> str:
    """Return a number for a reader: with three significant digits, or with commas from 1,000 on."""
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"


def format_value(value: object) -> str:
    """Return the value of a setting for a reader: "yes" or "no", a number as `format_number` gives it, or text."""
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    return format_number(float(value)) if isinstance(value, (int, float, np.number)) else str(value)


def spans_decades(low: float, high: float) -> bool:
    """Return whether positive numbers from `low` to `high` are easier to read on a logarithmic axis."""
    return low > 0 and high / low > 20


def count_plainly(axis: Axis) -> None:
    """Number a logarithmic axis 1, 2, 5, 10, 20, 50 ..., without powers of ten."""
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter(NullFormatter())


def join_words(words: Iterable[str]) -> str:
    """Return words as an enumeration: "a, b and c"; "nothing" if there are none."""
    words = list(words)
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else "nothing"


def introduce(heading: str, text: str) -> str:
    """Return a text after the heading of its figure: "Heading: text", "A question? text", or without one the text."""
    return f"{heading}{'' if heading[-1] in '?!.' else ':'} {text}" if heading else text


def fit_name(name: str, inches: float, *, before: str = "", after: str = "", size: float = 10) -> str:
    """Return a line with the name of a file, without the middle of the name if the line would be too wide.

    Args:
        name: The name; its beginning and its end, which tell files apart, are kept.
        inches: Width of the line.
        before: Text before the name.
        after: Text after the name.
        size: Size of the font, points.
    """

    def shortened(count: int) -> str:
        head = count // 3
        kept = name if count >= len(name) else f"{name[:head]}…{name[len(name) - (count - 1 - head) :]}"
        return before + kept + after

    def width(count: int) -> float:
        return TextPath((0, 0), shortened(count), size=size).get_extents().width / 72

    counts = range(min(5, len(name)), len(name) + 1)
    return shortened(counts[max(bisect_right(counts, inches, key=width) - 1, 0)])


def channel_names(channels: Sequence[str] | None, count: int) -> tuple[str, ...]:
    """Return the names of the landmarks.

    Args:
        channels: The names. None for the usual ones: the five levels for 5 points, the two sides for 2, both for 7;
            else "point 1", "point 2" and so on.
        count: Number of points per image.

    Raises:
        ValueError: If the number of names is not `count`.
    """
    usual = {5: LEVELS, 2: SIDES, 7: (*LEVELS, *SIDES)}
    names = tuple(channels) if channels is not None else usual.get(count, tuple(f"point {n + 1}" for n in range(count)))
    if len(names) != count:
        raise ValueError(f"{count} points per picture need as many names; got {len(names)}: {names}")
    return names

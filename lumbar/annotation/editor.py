"""The widget: one image with named points, in any notebook that shows Jupyter widgets.

The browser holds the points in native pixels and sends every change at once, with a number; this side acknowledges the
number when the change is kept. If the browser hears nothing, because the kernel was restarted or is busy, it says so
and offers the points as a file.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anywidget
import traitlets

from lumbar.annotation.cases import Case, Points
from lumbar.annotation.slices import BRIGHTEST, ShownSlice, Slice
from lumbar.core.errors import LumbarError, OutputError, ScanError
from lumbar.figures.style import colour, outline

if TYPE_CHECKING:
    from lumbar.annotation.session import Annotation

_HERE = Path(__file__).parent

ABSENT = "absent"
"""What the browser holds for a level that the image does not show."""


class PointEditor(anywidget.AnyWidget):
    """The editor of a session.

    Args:
        session: The session.
    """

    _esm = _HERE / "editor.js"
    _css = _HERE / "editor.css"

    cases = traitlets.List().tag(sync=True)
    """For each image what does not change, see `_about`."""
    marks = traitlets.List().tag(sync=True)
    """For each image: points (name → [x, y], native pixels, or `ABSENT`), offset (how many slices further than the
    image's own they lie) and done. After the start, only the browser changes it."""
    around = traitlets.List().tag(sync=True)
    """For each image its own position among the slices around it, and path and frame of each of these; None until they
    are looked up."""
    revision = traitlets.Int(0).tag(sync=True)
    """Number of the last change in the browser."""
    acknowledged = traitlets.Int(0).tag(sync=True)
    """Number of the last change that is kept here."""
    notice = traitlets.Unicode("").tag(sync=True)
    """A sentence for the rater."""

    def __init__(self, session: Annotation):
        self._session = session
        positions = range(len(session.cases))
        super().__init__(
            cases=[_about(case, session.ghosts) for case in session.cases],
            marks=[self._marks(position) for position in positions],
            around=[self._around(position) if session.is_around_known(position) else None for position in positions],
            notice=session.notice,
        )
        self.on_msg(self._answer)
        self.observe(self._take_over, "revision")

    def as_output(self) -> dict[str, Any]:
        """Return the widget as data of a notebook's output, by MIME type."""
        data, _ = self._repr_mimebundle_()
        return data

    def _marks(self, position: int) -> dict[str, Any]:
        marks, case = self._session.marks[position], self._session.cases[position]
        offset = 0
        if marks.place != case.place:
            slices, own = self._session.around(position)
            offset = slices.index(marks.place) - own
        points = {name: ABSENT if xy is None else list(xy) for name, xy in marks.points.items()}
        return {"points": points, "offset": offset, "done": marks.done}

    def _around(self, position: int) -> dict[str, Any] | None:
        try:
            slices, own = self._session.around(position)
        except LumbarError:  # the browser will ask for the slice itself, and show the reason
            return None
        return {"own": own, "slices": [[str(each.path), each.frame] for each in slices]}

    def _place(self, position: int, offset: int) -> Slice:
        if offset == 0:
            return self._session.cases[position].place
        slices, own = self._session.around(position)
        if not 0 <= own + offset < len(slices):
            raise ScanError("the series has no such slice", file=slices[own].path, found=f"slice {own + offset + 1}")
        return slices[own + offset]

    def _take_over(self, change: Mapping[str, Any]) -> None:
        """Keep what has changed in the browser, and acknowledge it if all of it could be kept."""
        problems, kept = [], True
        for position, marks in enumerate(self.marks):
            if marks == self._marks(position):
                continue
            try:
                place = self._place(position, marks["offset"])
                self._session.change(position, _points(marks["points"]), place, done=bool(marks["done"]))
            except OutputError as error:  # the session has the points; only the draft on disk cannot be written
                problems.append(str(error))
            except (LumbarError, ValueError, TypeError) as error:
                problems.append(f"{self._session.cases[position].image} was not kept: {error}")
                kept = False
        self.notice = "\n".join(problems)
        if kept:
            self.acknowledged = change["new"]

    def _answer(self, _: Any, message: Mapping[str, Any], __: Any) -> None:
        """Answer the browser's request for a slice, or for the slices around an image."""
        position, offset = message["case"], message.get("offset", 0)
        try:
            if message["kind"] == "around":
                self._session.around(position)  # raises the reason if there is none
                self.around = [self._around(at) if at == position else known for at, known in enumerate(self.around)]
                return
            shown = self._session.shown(self._place(position, offset))
        except LumbarError as error:
            self.send({"kind": "problem", "case": position, "offset": offset, "text": str(error)})
            return
        about = {"kind": "slice", "case": position, "offset": offset} | _description(shown)
        self.send(about, buffers=[shown.pixels.astype("<u2").tobytes()])


def _points(sent: Mapping[str, Any]) -> Points:
    """Return the points of an image as the browser holds them.

    Raises:
        ValueError, TypeError: If they are no points.
    """
    return {name: None if xy == ABSENT else tuple(float(value) for value in xy) for name, xy in sent.items()}


def _about(case: Case, ghosts: bool) -> dict[str, Any]:
    """Return what the browser knows of an image from the beginning."""
    looks = [{"name": name, "colour": colour(name), "path": outline(name)} for name in case.names]
    about = {
        "image": case.image,
        "file": str(case.path),
        "frame": case.frame,
        "view": case.view,
        "level": case.level,
        "looks": looks,
        "flagged": case.flagged,
    }
    if not ghosts:
        return about | {"ghosts": {}, "confidence": {}}
    kinds = {"known": case.known, "higher": case.higher, "lower": case.lower}
    seen = {kind: {name: xy for name, xy in points.items() if xy is not None} for kind, points in kinds.items()}
    return about | {"ghosts": seen, "confidence": dict(case.confidence)}


def _description(shown: ShownSlice) -> dict[str, Any]:
    """Return what the browser needs to show a slice, apart from its pixels."""
    height, width = shown.pixels.shape
    return {
        "width": width,
        "height": height,
        "low": shown.low,
        "high": shown.high,
        "brightest": BRIGHTEST,
        "window": shown.window,
        "pixelWidth": shown.pixel_width,
        "pixelHeight": shown.pixel_height,
        "toShown": shown.to_shown.matrix.tolist(),
        "toNative": shown.to_shown.inverse().matrix.tolist(),
    }

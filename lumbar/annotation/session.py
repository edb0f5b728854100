"""A session: somebody marks points on images, and every point is kept in native pixels, with the rater and the time."""

from __future__ import annotations

import getpass
import os
import warnings
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from lumbar.annotation.cases import Case, Points, Source, find_cases
from lumbar.annotation.drafts import Drafts
from lumbar.annotation.marks import Marks
from lumbar.annotation.saving import SIZE, Saved, save
from lumbar.annotation.slices import ShownSlice, Slice, is_searched, slices_around
from lumbar.core.constants import HEADLESS
from lumbar.core.digests import digest_of_file
from lumbar.core.errors import LumbarError, ScanError, SettingsError, TableError
from lumbar.core.extras import require

if TYPE_CHECKING:
    from lumbar.annotation.editor import PointEditor
    from lumbar.figures.style import Drawing

STATIC_PICTURES = 8
"""Largest number of images in the static picture."""

REMEMBERED = 16
"""Number of slices that stay in memory, those of the static picture among them."""


class Annotation:
    """Points on several images, which one rater marks or corrects.

    On the last line of a notebook cell it shows the editor. Where notebooks are executed without a browser, it shows a
    static picture.

    Args:
        cases: The images, in the order in which they are shown.
        rater: Name of the person who marks.
        ghosts: Whether the editor can show the points that were known before, with the alternatives.
        start: Whether to begin with the points that are known; otherwise with none.
        drafts: Where the unfinished work is kept; None keeps it in memory only.

    Attributes:
        marks: What has been marked so far, one entry per case.
        notice: What the rater should know at the beginning, in a sentence; "" if there is nothing.
    """

    def __init__(
        self,
        cases: Sequence[Case],
        *,
        rater: str,
        ghosts: bool = True,
        start: bool = True,
        drafts: Drafts | None = None,
    ):
        self.cases = tuple(cases)
        self.rater = rater
        self.ghosts = ghosts
        self.marks = [Marks(each.known if start else {}, each.place) for each in self.cases]
        self.notice = ""
        self._drafts = drafts
        self._digests: dict[tuple[Path, int, int], str] = {}
        self._around: dict[int, tuple[list[Slice], int]] = {}
        self._shown: dict[Slice, ShownSlice] = {}
        if drafts is not None:
            self.marks, self.notice = drafts.restored(self.marks)

    # -- what the editor shows and changes ----------------------------------------------------------------------------
    @cached_property
    def editor(self) -> PointEditor:
        """The widget. It is made when it is first needed."""
        require("course", "mark points in a notebook")
        from lumbar.annotation.editor import PointEditor

        return PointEditor(self)

    def around(self, position: int) -> tuple[list[Slice], int]:
        """Return the slices to leaf through around a case, and its own position among them.

        For a single DICOM file, the headers of its folder are read the first time.

        Args:
            position: Position of the case.

        Raises:
            ScanError: If a file is damaged.
        """
        if position not in self._around:
            slices, own = slices_around(self.cases[position].place)
            place = self.marks[position].place
            self._around[position] = (slices if place in slices else [*slices, place]), own
        return self._around[position]

    def is_around_known(self, position: int) -> bool:
        """Return whether `around` answers at once."""
        return position in self._around or not is_searched(self.cases[position].place)

    def shown(self, place: Slice) -> ShownSlice:
        """Return a slice as the editor shows it; the last ones are kept.

        Raises:
            ScanError: If it cannot be read.
        """
        if place not in self._shown:
            if len(self._shown) >= REMEMBERED:
                self._shown.pop(next(iter(self._shown)))
            self._shown[place] = ShownSlice.read(place)
        return self._shown[place]

    def change(self, position: int, points: Points, place: Slice, *, done: bool) -> None:
        """Take over what the rater has changed in one image.

        Args:
            position: Position of the case.
            points: All points of the image.
            place: The slice on which they lie.
            done: Whether the image is finished.

        Raises:
            TableError: If a point has no place in this image; nothing is changed then.
            ScanError: If the image cannot be read; nothing is changed then.
            OutputError: If the draft cannot be written; the session has the points all the same.
        """
        self._check(position, points, place)
        about = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "digest": self._digest(place.path)}
        self.marks[position] = self.marks[position].changed(points, place, done=done, **about)
        if self._drafts is not None:
            self._drafts.keep(position, self.marks[position])

    def _check(self, position: int, points: Points, place: Slice) -> None:
        """Refuse points that are not of this image; what was known before is not judged."""
        case = self.cases[position]
        for name, xy in points.items():
            if name not in case.names:
                raise TableError("the image has no such point", file=place.path, field=name, expected=list(case.names))
            if xy is None or case.known.get(name) == xy:
                continue
            x, y = xy if len(xy) == 2 else (np.nan, np.nan)
            size = self.shown(place).native
            if not (-0.5 <= x <= size["width"] - 0.5 and -0.5 <= y <= size["height"] - 0.5):  # NaN is refused, too
                raise TableError("the point lies outside the image", file=place.path, field=name, found=f"{x}, {y}")

    def _digest(self, path: Path) -> str:
        """Return the fingerprint of an image's file, computed once for each state of it.

        Raises:
            ScanError: If it is gone or cannot be read.
        """
        try:
            state = path.stat()
            key = (path, state.st_mtime_ns, state.st_size)
            if key not in self._digests:
                self._digests[key] = digest_of_file(path)
        except OSError as error:
            raise ScanError("the image cannot be read", file=path, found=error.strerror or str(error)) from error
        return self._digests[key]

    # -- what comes of it ---------------------------------------------------------------------------------------------
    @property
    def table(self) -> pd.DataFrame:
        """The points so far: one row per point of each image, also those that are not marked yet.

        Columns: image (as its source names it, or the path of another slice), file (its absolute path), patient ("" if
        nobody states it), view, level, side, x, y (native pixels; NaN without a point), frame, absent (whether the
        image does not show the level), rater, marked_at (when the rater last changed the point, or else confirmed it,
        ISO 8601 in UTC; "" if neither), x_before, y_before (the point that was known before; NaN without one), done.
        """
        rows = [
            row for case, marks in zip(self.cases, self.marks, strict=True) for row in _rows(case, marks, self.rater)
        ]
        return pd.DataFrame(rows).astype({"frame": "Int64"})

    def save(
        self,
        folder: str | os.PathLike,
        *,
        replace: bool = False,
        patient: Callable[[Path], str] | None = None,
    ) -> Saved:
        """Write the finished images and their points to a folder that `lumbar check` and `train --data` read.

        The folder gets copies of the images and the table ``points.csv``. Images that it already has are updated;
        the table as it was is kept in ``previous/``. The original files stay as they are. An image that is gone, or has
        changed since its points were marked, is left out. Note that DICOM files may name the patient, and so do their
        copies.

        Args:
            folder: The folder; it is created if it does not exist.
            replace: Whether to replace points of other raters.
            patient: Gives the patient of a file that states none, such as a PNG: its path → a name. By default each
                such file is a patient of its own. Where several show the same person, say so, or a split may put one
                of them in the training and one in the test: ``lambda file: file.parent.name``.

        Raises:
            SettingsError: If `patient` gives something other than a name.
            OutputError: If no image can be saved, the folder holds something else, another rater has marked the same
                images in it, or it cannot be written.
            RunError: If another process is at work in the folder.
        """
        table, left_out = self.table.assign(**dict.fromkeys(SIZE, np.nan)), []
        for case, marks in zip(self.cases, self.marks, strict=True):
            rows = (table["file"] == str(marks.place.path)) & table["done"]
            if not marks.done:
                continue
            try:
                if marks.digest != self._digest(marks.place.path):
                    raise ScanError("the image has changed since its points were marked", file=marks.place.path)
                shown = self.shown(marks.place)
            except LumbarError as error:
                left_out.append(error)
                table.loc[rows, "done"] = False
            else:
                named = case.patient or shown.patient or _named(marks.place.path, patient)
                table.loc[rows, ["patient", *shown.native]] = [named, *shown.native.values()]
        return save(table, Path(folder), replace=replace, left_out=left_out)

    def figure(self) -> Drawing:
        """Plot the first images, as the editor shows them, with their points."""
        from lumbar.figures.pictures import pictures_with_points
        from lumbar.preprocess import windowed

        pixels, points, titles = [], [], []
        names = self.cases[0].names
        for position, (case, marks) in enumerate(zip(self.cases, self.marks, strict=True), start=1):
            if len(pixels) == STATIC_PICTURES or case.names != names:
                continue
            try:
                shown = self.shown(marks.place)
            except ScanError:
                continue
            if shown.may_be_stored:
                pixels.append(windowed(shown.pixels))
                points.append(shown.to_shown.points([marks.points.get(name) or (np.nan, np.nan) for name in names]))
                titles.append(f"image {position}")
        if not pixels:
            raise ScanError("none of the images can be shown", file=self.cases[0].path)
        marked = np.array(points) if np.isfinite(points).any() else None
        return pictures_with_points(pixels, marked, channels=names, titles=titles, heading=self._progress)

    @property
    def _progress(self) -> str:
        return f"{self.rater}: {sum(each.done for each in self.marks)} of {len(self.marks)} images done"

    def __repr__(self) -> str:
        return f"Annotation by {self._progress}"

    def _ipython_display_(self) -> None:
        from IPython.display import display

        try:
            data, metadata = self.figure().as_output()
        except ScanError as error:  # the editor can show what must not be stored
            data, metadata = {"text/plain": str(error)}, {}
        if not os.environ.get(HEADLESS):
            # Pages made of the notebook later cannot show the editor; they find the picture in the same output.
            data = {**self.editor.as_output(), **data}
        display(data, raw=True, metadata=metadata)


def _rows(case: Case, marks: Marks, rater: str) -> list[dict[str, Any]]:
    rows = []
    for name in case.names:
        x, y = marks.points.get(name) or (np.nan, np.nan)
        x_before, y_before = case.known.get(name) or (np.nan, np.nan)
        axial = case.view == "axial"
        rows.append(
            {
                "image": case.image if marks.place == case.place else str(marks.place.path),
                "file": str(marks.place.path),
                "patient": case.patient,
                "view": case.view,
                "level": case.level if axial else name,
                "side": name if axial else "",
                "x": x,
                "y": y,
                "frame": marks.place.frame,
                "absent": name in marks.points and marks.points[name] is None,
                "rater": rater,
                "marked_at": marks.times.get(name, ""),
                "x_before": x_before,
                "y_before": y_before,
                "done": marks.done,
            }
        )
    return rows


def annotate(
    source: Source,
    *,
    rater: str | None = None,
    quality: str | os.PathLike | None = None,
    ghosts: bool = True,
    start: bool = True,
    fresh: bool = False,
) -> Annotation:
    """Open a session; see `lumbar.annotate`."""
    require("course", "mark points in a notebook")
    cases, refused = find_cases(source, None if quality is None else Path(quality))
    for error in refused:
        warnings.warn(f"left out: {error}", stacklevel=3)
    rater = _checked_name("rater", _login_name() if rater is None else rater)
    drafts = None if os.environ.get(HEADLESS) else Drafts.of(cases, rater)
    if drafts is not None and fresh:
        drafts.discard()
    return Annotation(cases, rater=rater, ghosts=ghosts, start=start, drafts=drafts)


def _named(file: Path, patient: Callable[[Path], str] | None) -> str:
    """Return the patient of a file that states none."""
    return file.stem if patient is None else _checked_name("patient", patient(file))


def _checked_name(whose: str, given: object) -> str:
    """Return a name without blanks around it; refuse what a table or a spreadsheet would take for more."""
    name = str(given).strip()
    if given is None or not name or not name.isprintable() or name[0] in "=+-@":
        raise SettingsError(
            f"this cannot be the name of a {whose}",
            field=whose,
            found=repr(given),
            expected="printable characters; the first is none of = + - @, which spreadsheets take for a formula",
        )
    return name


def _login_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # the system does not know who is at work, as in some containers
        return "rater"

"""Unfinished work, kept on disk after every change, so that neither a crash nor a new kernel loses a point.

Each image has a file of its own. So the work on it comes back whatever else is opened with it, and two sessions on
different images do not disturb each other.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lumbar.annotation.cases import Case
from lumbar.annotation.marks import Marks
from lumbar.annotation.slices import Slice
from lumbar.core import paths
from lumbar.core.digests import digest_of_file, digest_of_values
from lumbar.storage.files import describe_os_error, write_json

FORMAT, VERSION = "lumbar draft of an annotation", 1


@dataclass(frozen=True)
class Drafts:
    """The files of one rater's unfinished work.

    Args:
        files: One for each case; it need not exist.
    """

    files: tuple[Path, ...]

    @classmethod
    def of(cls, cases: Sequence[Case], rater: str) -> Drafts:
        """Return the files of a rater's work on certain images."""
        folder = paths.data() / "annotations"
        keys = [[rater, str(case.path), case.frame, case.level] for case in cases]
        return cls(tuple(folder / f"{digest_of_values(key)}.json" for key in keys))

    def keep(self, position: int, marks: Marks) -> None:
        """Write the work on one image.

        Args:
            position: Position of the case.
            marks: What is marked in it.

        Raises:
            OutputError: If the file cannot be written.
        """
        file = self.files[position]
        with describe_os_error(file):
            file.parent.mkdir(parents=True, exist_ok=True)
        kept_at = datetime.now(UTC).isoformat(timespec="seconds")
        write_json(file, {"format": FORMAT, "version": VERSION, "kept_at": kept_at, "work": asdict(marks)})

    def restored(self, marks: Sequence[Marks]) -> tuple[list[Marks], str]:
        """Return what is marked in each image, with the work that was kept, and sentences about it for the rater.

        Work on a file that has changed since, and work that cannot be read, is set aside.

        Args:
            marks: What is marked without the drafts.
        """
        restored, times, spoiled = list(marks), [], []
        for position, file in enumerate(self.files):
            try:
                content = json.loads(file.read_text(encoding="utf-8"))
                if (content["format"], content["version"]) != (FORMAT, VERSION):
                    raise ValueError(content["format"])
                work, kept_at = _marks(content["work"]), datetime.fromisoformat(content["kept_at"])
                if work.digest != digest_of_file(work.place.path):
                    raise ValueError("the image has changed since")
            except FileNotFoundError:  # no work, or no image
                continue
            except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
                aside = _set_aside(file)
                spoiled.append(f"Unfinished work was set aside as {aside}: {error}.")
            else:
                restored[position] = work
                times.append(kept_at)
        if times:
            when = max(times).astimezone().strftime("%d %B %Y, %H:%M")
            spoiled.insert(0, f"Restored from {when}: your work on {len(times)} image(s). fresh=True begins anew.")
        return restored, "\n".join(spoiled)

    def discard(self) -> None:
        """Set the files aside under other names; nothing is deleted."""
        for file in self.files:
            _set_aside(file)


def _set_aside(file: Path) -> Path:
    """Give a file another name, if that is possible; return its path."""
    aside = file.with_suffix(f".{datetime.now(UTC):%Y%m%dT%H%M%S%f}.json")
    with suppress(OSError):
        return file.replace(aside)
    return file


def _marks(work: dict[str, Any]) -> Marks:
    points = {str(name): None if xy is None else (float(xy[0]), float(xy[1])) for name, xy in work["points"].items()}
    path, frame = work["place"]
    return Marks(points, Slice(Path(path), frame), dict(work["times"]), bool(work["done"]), str(work["digest"]))

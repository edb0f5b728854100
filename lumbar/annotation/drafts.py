"""Unfinished work, kept on disk after every change, so that neither a crash nor a new kernel loses a point."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lumbar.annotation.cases import Case
from lumbar.annotation.marks import Marks
from lumbar.annotation.slices import Slice
from lumbar.core import paths
from lumbar.core.digests import digest_of_values
from lumbar.storage.files import describe_os_error, write_json

FORMAT, VERSION = "lumbar draft of an annotation", 1


@dataclass(frozen=True)
class Draft:
    """The file of one rater's unfinished work on certain images.

    Args:
        file: The file.
        images: Absolute path and frame of each image.
    """

    file: Path
    images: tuple[tuple[str, int | None], ...]

    @classmethod
    def of(cls, cases: Sequence[Case], rater: str) -> Draft:
        """Return the draft of a rater's work on certain images, whose file need not exist yet."""
        images = tuple((str(case.path.absolute()), case.frame) for case in cases)
        name = digest_of_values([rater, sorted(images, key=str)])
        return cls(paths.data() / "annotations" / f"{name}.json", images)

    def keep(self, marks: Sequence[Marks]) -> None:
        """Write the work so far.

        Args:
            marks: What is marked in each of the images.

        Raises:
            OutputError: If the file cannot be written.
        """
        with describe_os_error(self.file):
            self.file.parent.mkdir(parents=True, exist_ok=True)
        works = [
            {"image": image, "frame": frame} | asdict(each)
            for (image, frame), each in zip(self.images, marks, strict=True)
            if each.times or each.done
        ]
        kept_at = datetime.now(UTC).isoformat(timespec="seconds")
        write_json(self.file, {"format": FORMAT, "version": VERSION, "kept_at": kept_at, "works": works})

    def restored(self, marks: Sequence[Marks]) -> tuple[list[Marks], str]:
        """Return what is marked in each image, with the work that was kept, and a sentence about it for the rater.

        Args:
            marks: What is marked without the draft.
        """
        try:
            content = json.loads(self.file.read_text(encoding="utf-8"))
            if (content["format"], content["version"]) != (FORMAT, VERSION):
                raise ValueError(content["format"])
            works = {(work["image"], work["frame"]): _marks(work) for work in content["works"]}
            kept_at = datetime.fromisoformat(content["kept_at"])
        except FileNotFoundError:
            return list(marks), ""
        except (OSError, ValueError, KeyError, TypeError) as error:
            aside = self.discard()
            return list(marks), f"Unfinished work cannot be read ({error}). It was set aside as {aside}."
        if not works:
            return list(marks), ""
        restored = [works.get(image, each) for image, each in zip(self.images, marks, strict=True)]
        when = kept_at.astimezone().strftime("%d %B %Y, %H:%M")
        return restored, f"Restored from {when}: your work on {len(works)} image(s). fresh=True begins anew."

    def discard(self) -> Path | None:
        """Set the file aside under another name; it is not deleted.

        Returns:
            The new path; None if there is no file.

        Raises:
            OutputError: If that is not possible.
        """
        if not self.file.exists():
            return None
        with describe_os_error(self.file):
            return self.file.replace(self.file.with_suffix(f".{datetime.now(UTC):%Y%m%dT%H%M%S}.json"))


def _marks(work: dict[str, Any]) -> Marks:
    points = {str(name): None if xy is None else (float(xy[0]), float(xy[1])) for name, xy in work["points"].items()}
    path, frame = work["place"]
    return Marks(points, Slice(Path(path), frame), dict(work["times"]), bool(work["done"]))

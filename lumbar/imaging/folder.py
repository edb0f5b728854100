"""Find the images in folders, and account for every other file there: nothing is left out silently."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lumbar.core.constants import OTHER_VOLUMES, PICTURES, VOLUMES
from lumbar.core.errors import ScanError
from lumbar.imaging.dicom.file import begins_as_dicom
from lumbar.imaging.volume.reading import holds_labels

LABELS = "volumes of labels (masks)"
NO_SLICES = "pictures and volumes, which only predict reads"
HIDDEN = "hidden files"
OTHERS = "files that are not images"
LINKS = "links to folders"
BROKEN = "links to files that are not there"
CLOSED = "folders that cannot be opened"
"""Kinds of files that have no endings of their own."""

UNSUPPORTED = {
    "pictures in an unsupported format": (".tif", ".tiff", ".bmp", ".gif", ".webp", ".jp2", ".j2k", ".heic"),
    "volumes in an unsupported format": OTHER_VOLUMES,
    "compressed files": (".gz", ".bz2", ".xz", ".zst", ".zip", ".tar", ".tgz", ".7z", ".rar"),
}
"""Kinds of files that hold images or may hold some, but are not read, and their endings."""

REMEDIES = {
    "pictures in an unsupported format": "save them as PNG",
    "volumes in an unsupported format": "save them as .nii.gz or .mha, for example with 3D Slicer",
    "compressed files": "unpack them",
    LINKS: "name these folders themselves if you mean them",
    BROKEN: "find out where the links should lead",
    CLOSED: "check their permissions",
}
"""Kind → what to do. A kind without a remedy holds no image, so nothing is lost."""

_NAMED = 3


@dataclass(frozen=True)
class Unread:
    """Files of one kind that lie in a folder and are not read.

    Args:
        kind: What they are, in the plural.
        files: The files.
    """

    kind: str
    files: tuple[Path, ...]

    @property
    def remedy(self) -> str:
        """What to do about them; "" if they hold no image."""
        return REMEDIES.get(self.kind, "")

    def __str__(self) -> str:
        more = len(self.files) - _NAMED
        names = ", ".join(file.name for file in self.files[:_NAMED]) + (f" and {more} more" if more > 0 else "")
        return f"{self.kind}: {names}" + (f"; {self.remedy}" if self.remedy else "")


@dataclass(frozen=True)
class Listing:
    """What there is at some paths.

    Args:
        images: The files to read, each once: those named, and those in folders that may be images.
        unread: The other files in the folders, by kind; the kinds that may hold images come first.
    """

    images: tuple[Path, ...]
    unread: tuple[Unread, ...]


def list_images(paths: Sequence[str | Path], *, dicom_only: bool = False) -> Listing:
    """Find the files that may be images.

    A file that is named is taken, whatever it is. In a folder, DICOM files are known by their beginning or their ending
    (.dcm or none), pictures and volumes by their endings. A volume of labels, such as the mask beside a scan, is not
    taken.

    Args:
        paths: Files, and folders, which are searched recursively in the order of the names.
        dicom_only: Whether to take no pictures, no volumes and, of files without an ending, only those that begin as
            DICOM files do.
    """
    images: dict[Path, None] = {}
    unread = defaultdict(list)
    for path in map(Path, paths):
        if not path.is_dir():
            images[path] = None
            continue
        for file, kind in sorted(_inside(path, dicom_only)):
            if kind:
                unread[kind].append(file)
            else:
                images[file] = None
    kinds = sorted(unread, key=lambda kind: (kind not in REMEDIES, kind))
    return Listing(tuple(images), tuple(Unread(kind, tuple(dict.fromkeys(unread[kind]))) for kind in kinds))


def _inside(folder: Path, dicom_only: bool) -> Iterator[tuple[Path, str]]:
    """Yield each file of a folder with the kind that it is accounted for under; "" if it may be an image."""
    closed: list[OSError] = []
    for place, folders, names in os.walk(folder, onerror=closed.append):
        yield from ((Path(place, name), LINKS) for name in folders if Path(place, name).is_symlink())
        yield from ((Path(place, name), _kind(Path(place, name), dicom_only)) for name in names)
    yield from ((Path(error.filename), CLOSED) for error in closed)


def _kind(file: Path, dicom_only: bool) -> str:
    """Return the kind of a file that is not read; "" if it may be an image."""
    name, ending = file.name.lower(), file.suffix.lower()
    if name.startswith("."):
        return HIDDEN
    if not file.is_file():
        return BROKEN if file.is_symlink() else OTHERS
    if ending == ".dcm" or begins_as_dicom(file):
        return ""
    if name.endswith(VOLUMES) or ending in PICTURES:
        return NO_SLICES if dicom_only else LABELS if name.endswith(VOLUMES) and _is_mask(file) else ""
    if not ending and not dicom_only:
        return ""
    return next((kind for kind, endings in UNSUPPORTED.items() if name.endswith(endings)), OTHERS)


def _is_mask(file: Path) -> bool:
    try:
        return holds_labels(file)
    except (ScanError, OSError):
        return False  # reading the file will report why

"""A list of public data sets: what each contains, its licence, and how to download it.

This is the only source of these facts: `python -m lumbar datasets` prints them, `fetch` uses them to download, and the
table in data/README.md is the output of `markdown()`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lumbar.core import paths
from lumbar.core.errors import FetchError

NOT_STATED = "not stated"


@dataclass(frozen=True)
class File:
    """A file of a data set that can be downloaded directly; archives (.zip) are unpacked.

    Args:
        name: Name of the file on disk.
        url: Address to download it from.
        sha256: Published checksum; "" if there is none. Later downloads are then compared with the first.
    """

    name: str
    url: str
    sha256: str = ""


@dataclass(frozen=True)
class PublicSet:
    """A public data set.

    Args:
        name: Name of the set in the command `fetch`.
        title: Title by its authors.
        holds: Contents.
        licence: Licence as its authors state it.
        size: Size of the download, as text.
        address: Web page of the set.
        folder: Folder below data/: the name under which the set is published.
        gigabytes: Size of the download in GB, to check the free space; 0 if it is not stated.
        kaggle: Handle on Kaggle: "<owner>/<set>", or only "<competition>".
        files: Files that can be downloaded from other servers.
        by_hand: How to download the set by hand from its page: a sentence that ends before the name of the folder.
    """

    name: str
    title: str
    holds: str
    licence: str
    size: str
    address: str
    folder: str
    by_hand: str
    gigabytes: float = 0
    kaggle: str = ""
    files: tuple[File, ...] = ()

    @property
    def place(self) -> Path:
        """Path of the set's folder, below data/."""
        return paths.data() / self.folder

    @property
    def fetchable(self) -> bool:
        """Whether the set can be downloaded without signing an agreement on its page."""
        return bool(self.kaggle or self.files)


_KAGGLE = "https://www.kaggle.com"
_ZENODO = "https://zenodo.org/records/10159290"
_VERSE = "https://s3.bonescreen.de/public/VerSe-complete"

SETS = (
    PublicSet(
        name="coordinates",
        title="Lumbar Coordinate Pretraining Dataset",
        holds="1,121 mid-sagittal images (MR T1 and T2, CT) of 256×256 pixels, with five points on the "
        "posterior disc margin; and coords_rsna_improved.csv, better points for the images of rsna2024",
        licence="stated on its page, source by source",
        size=NOT_STATED,
        address=f"{_KAGGLE}/datasets/brendanartley/lumbar-coordinate-pretraining-dataset",
        folder="lumbar-coordinate-pretraining-dataset",
        kaggle="brendanartley/lumbar-coordinate-pretraining-dataset",
        by_hand="press Download there and unpack the archive into",
    ),
    PublicSet(
        name="rsna2024",
        title="RSNA 2024 Lumbar Spine Degenerative Classification",
        holds="1,975 MR studies as DICOM (147,320 files): sagittal T1, sagittal T2/STIR and axial T2, with points and "
        "grades of stenosis for each level",
        licence="competition rules; must not be passed on",
        size="about 35 GB",
        gigabytes=35,
        address=f"{_KAGGLE}/competitions/rsna-2024-lumbar-spine-degenerative-classification",
        folder="rsna-2024-lumbar-spine-degenerative-classification",
        kaggle="rsna-2024-lumbar-spine-degenerative-classification",
        by_hand="accept the rules there, press Download on the tab Data and unpack the archive into",
    ),
    PublicSet(
        name="spider",
        title="SPIDER",
        holds="447 sagittal MR series of 218 patients (T1, T2, T2 SPACE) as volumes, with masks of vertebrae, discs "
        "and canal, and gradings for each disc",
        licence="CC BY 4.0",
        size="about 3.8 GB",
        gigabytes=3.8,
        address=_ZENODO,
        folder="spider",
        # The checksums of the archives are those in torch-em's reader of the set; none is published for the tables.
        files=(
            File(
                "images.zip",
                f"{_ZENODO}/files/images.zip",
                "a54cba2905284ff6cc9999f1dd0e4d871c8487187db7cd4b068484eac2f50f17",
            ),
            File(
                "masks.zip",
                f"{_ZENODO}/files/masks.zip",
                "13a6e25a8c0d74f507e16ebb2edafc277ceeaf2598474f1fed24fdf59cb7f18f",
            ),
            File("overview.csv", f"{_ZENODO}/files/overview.csv"),
            File("radiological_gradings.csv", f"{_ZENODO}/files/radiological_gradings.csv"),
        ),
        by_hand="download its four files, and run the same command again once they are in",
    ),
    PublicSet(
        name="verse",
        title="VerSe",
        holds="CT volumes with masks of the vertebrae and their centroids, VerSe'19 and VerSe'20",
        licence="CC BY-SA 4.0",
        size=NOT_STATED,
        address="https://github.com/anjany/verse",
        folder="verse",
        files=tuple(
            File(f"{name}.zip", f"{_VERSE}/{name}.zip")
            for year in (19, 20)
            for name in (f"dataset-verse{year}{part}" for part in ("training", "validation", "test"))
        ),
        by_hand="download the archives that it names (see also osf.io/nqjyw and osf.io/t98fz), and run the same "
        "command again once they are in",
    ),
    PublicSet(
        name="buu-lspine",
        title="BUU-LSPINE",
        holds="frontal and lateral radiographs of 3,600 patients, with the ends of each endplate",
        licence="an agreement with Burapha University; must not be passed on",
        size=NOT_STATED,
        address="https://services.informatics.buu.ac.th/spine/",
        folder="buu-lspine",
        by_hand="agree to the terms there, download the images and unpack them so that AP/ and LA/ are in",
    ),
)


def find(name: str) -> PublicSet:
    """Return the data set with a given name.

    Args:
        name: See `PublicSet`.

    Raises:
        FetchError: If there is no such set.
    """
    for known in SETS:
        if known.name == name:
            return known
    raise FetchError(
        "there is no public data set with this name",
        found=name,
        expected=", ".join(known.name for known in SETS),
        remedy="`python -m lumbar datasets` describes each of them",
    )


def markdown() -> str:
    """Return the table in data/README.md."""
    lines = ["| name | set | holds | licence | size |", "| --- | --- | --- | --- | --- |"]
    for known in SETS:
        name = f"`{known.name}`" if known.fetchable else f"{known.name} (by hand)"
        title = f"[{known.title}]({known.address})"
        lines.append(f"| {name} | {title} | {known.holds} | {known.licence} | {known.size} |")
    return "\n".join(lines)

"""The public data sets we know: what each holds, what it may be used for, and how to get it.

The one place where these facts stand: `python -m lumbar datasets` prints them, `fetch` downloads by them, and the table
in data/README.md is `markdown()`, word by word.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lumbar.core import paths
from lumbar.core.errors import FetchError

NOT_STATED = "not stated"


@dataclass(frozen=True)
class File:
    """A file that may be downloaded as it is; an archive (.zip) is unpacked.

    Args:
        name: What it is called here.
        url: Where it is.
        sha256: Its checksum; "" if none is published, then that of the first download is kept and compared.
    """

    name: str
    url: str
    sha256: str = ""


@dataclass(frozen=True)
class PublicSet:
    """What is known of a data set.

    Args:
        name: What `fetch` calls it.
        title: What its authors call it.
        holds: What is in it.
        licence: As its authors state it.
        size: To be downloaded.
        address: Its page.
        folder: Where it lies below data/, by the name it is published under.
        gigabytes: The size as a number, to see whether the disk has room; 0 if not stated.
        kaggle: Its handle on Kaggle: "<owner>/<set>", or "<competition>" alone.
        files: What may be downloaded elsewhere.
        by_hand: What a person does on its page without us, up to the name of the folder.
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
        """Its folder below data/."""
        return paths.data() / self.folder

    @property
    def fetchable(self) -> bool:
        """Whether it may be downloaded without a person signing for it on its page."""
        return bool(self.kaggle or self.files)


_KAGGLE = "https://www.kaggle.com"
_ZENODO = "https://zenodo.org/records/10159290"
_VERSE = "https://s3.bonescreen.de/public/VerSe-complete"

SETS = (
    PublicSet(
        name="coordinates",
        title="Lumbar Coordinate Pretraining Dataset",
        holds="1,121 mid-sagittal pictures (MR T1 and T2, CT) of 256×256 pixels, with five points on the "
        "posterior disc margin; and coords_rsna_improved.csv, better points for the pictures of rsna2024",
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
        # The checksums of the archives as torch-em's reader of the set gives them; of the tables none is published.
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
        by_hand="download its four files, and give the command again when they lie in",
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
        by_hand="download the archives it names (see also osf.io/nqjyw and osf.io/t98fz), and give the command again "
        "when they lie in",
    ),
    PublicSet(
        name="buu-lspine",
        title="BUU-LSPINE",
        holds="X-ray pictures of 3,600 patients from the front and from the side, with the ends of each endplate",
        licence="an agreement with Burapha University; must not be passed on",
        size=NOT_STATED,
        address="https://services.informatics.buu.ac.th/spine/",
        folder="buu-lspine",
        by_hand="agree to the terms there, download the pictures and unpack them so that AP/ and LA/ stand in",
    ),
)


def find(name: str) -> PublicSet:
    """The set of this name.

    Raises:
        FetchError: If there is none.
    """
    for known in SETS:
        if known.name == name:
            return known
    raise FetchError(
        "there is no public data set of this name",
        found=name,
        expected=", ".join(known.name for known in SETS),
        remedy="`python -m lumbar datasets` says what each of them is",
    )


def markdown() -> str:
    """The table in data/README.md."""
    lines = ["| name | set | holds | licence | size |", "| --- | --- | --- | --- | --- |"]
    for known in SETS:
        name = f"`{known.name}`" if known.fetchable else f"{known.name} (by hand)"
        title = f"[{known.title}]({known.address})"
        lines.append(f"| {name} | {title} | {known.holds} | {known.licence} | {known.size} |")
    return "\n".join(lines)

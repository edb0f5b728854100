"""Write the ten odd files of the escape room, each of a kind that hospitals and exports really produce.

All are made from two synthetic patients, and the same seed gives the same bytes. Nothing in them is damaged: in each
room the header and the pixels together say the truth, and a program that does not read both shows something false.
"""

from __future__ import annotations

import copy
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pydicom
from pydicom.dataset import Dataset
from pydicom.uid import EnhancedMRImageStorage

from lumbar.phantom import PhantomSettings, write_study
from lumbar.phantom.dicom import BITS, uid
from lumbar.phantom.recipe import VERSION as PHANTOM_VERSION
from lumbar.storage.files import atomic_folder, write_table

ROOMS = 10
"""Number of rooms."""

VERSION = 1
"""Raised whenever the same patients give other files than before."""

TRUTH = "truth.csv"
"""Table beside the rooms: the patient's points in the mid-sagittal and the coronal slice, patient mm (LPS)."""

_SLICES = 33
_MIDDLE = _SLICES // 2  # even, so that every second slice is one of them, and the middle one among them
_HIGHEST = 2**BITS - 1


def write_rooms(out: Path, seed: int) -> Path:
    """Write the ten rooms; rooms that this version has written for this seed are left as they are.

    ::

        folder/room-01/001.dcm      one folder per room; most hold one file
        folder/truth.csv            see `TRUTH`

    Args:
        out: Folder that will hold the folder of the rooms.
        seed: Seed of the two synthetic patients.

    Returns:
        The folder of the rooms.
    """
    folder = out / f"seed-{seed}-version-{PHANTOM_VERSION}.{VERSION}"
    if folder.is_dir():
        return folder
    settings = {"seed": seed, "slices": _SLICES, "anomalies": False, "stir_share": 0.0}
    with atomic_folder(folder) as begun:
        patients = begun / "patients"
        first = write_study(patients, PhantomSettings(series=("sagittal-t2", "coronal-t2"), **settings), number=1)
        second = write_study(patients, PhantomSettings(series=("sagittal-t2",), **settings), number=2)
        source = _Source(
            sagittal=_series(first / "sagittal-t2"),
            coronal=_series(first / "coronal-t2")[0],
            stranger=_series(second / "sagittal-t2"),
            seed=seed,
        )
        for number, make in enumerate(_MAKERS, start=1):
            _write(begun / f"room-{number:02d}", make(source), number)
        points = pd.read_csv(first / "landmarks.csv")
        write_table(begun / TRUTH, points[["view", "level", "x_mm", "y_mm", "z_mm"]])
        shutil.rmtree(patients)
    return folder


def files_of(folder: Path, room: int) -> list[Path]:
    """Return the files of a room, sorted by name.

    Args:
        folder: The folder of the rooms, see `write_rooms`.
        room: Number of the room, from 1.
    """
    return sorted((folder / f"room-{room:02d}").glob("*.dcm"))


@dataclass(frozen=True, eq=False)
class _Source:
    """What the odd files are made from: a sagittal series and a coronal slice of one patient, and a stranger's series.

    Sagittal slices go from the patient's left to the right; `_MIDDLE` is the mid-sagittal one.
    """

    sagittal: list[Dataset]
    coronal: Dataset
    stranger: list[Dataset]
    seed: int

    @property
    def middle(self) -> Dataset:
        """A copy of the mid-sagittal slice."""
        return copy.deepcopy(self.sagittal[_MIDDLE])


def _series(folder: Path) -> list[Dataset]:
    return [pydicom.dcmread(file) for file in sorted(folder.iterdir())]


def _write(folder: Path, datasets: list[Dataset], room: int) -> None:
    """Write the files of a room; each gets an identity of its own, apart from the file that it was made from."""
    folder.mkdir()
    for number, dataset in enumerate(datasets, start=1):
        # Without a name: predict would remark on it in every room.
        dataset.PatientIdentityRemoved, dataset.DeidentificationMethod = "YES", "synthetic: not a person"
        dataset.InstanceNumber = number
        dataset.SOPInstanceUID = uid(dataset.SOPInstanceUID, "escape room", room)
        dataset.SeriesInstanceUID = uid(dataset.SeriesInstanceUID, "escape room", room)
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
        dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
        dataset.save_as(folder / f"{number:03d}.dcm", enforce_file_format=True)


def _set_pixels(dataset: Dataset, pixels: np.ndarray) -> None:
    """Replace the stored values, integers of shape (rows, columns), or (frames, rows, columns)."""
    dataset.Rows, dataset.Columns = pixels.shape[-2:]
    dataset.PixelData = np.ascontiguousarray(pixels, dtype="<u2").tobytes()


def _rectangular(source: _Source) -> list[Dataset]:
    """Pixels that are twice as tall as they are wide: every two rows became one. The picture is taller than wide."""
    dataset, pixels = source.middle, source.middle.pixel_array
    height, width = map(float, dataset.PixelSpacing)
    side = pixels.shape[1] // 12
    pixels = pixels[:, side:-side].astype(int)
    _set_pixels(dataset, (pixels[0::2] + pixels[1::2]) // 2)
    dataset.PixelSpacing = [2 * height, width]
    along_row, along_column = np.reshape(dataset.ImageOrientationPatient, (2, 3)).astype(float)
    corner = np.array(dataset.ImagePositionPatient, float) + side * width * along_row + height / 2 * along_column
    dataset.ImagePositionPatient = corner.round(5).tolist()
    return [dataset]


def _inverted(source: _Source) -> list[Dataset]:
    """The lowest value is shown white."""
    dataset, pixels = source.middle, source.middle.pixel_array
    highest = int(pixels.max())
    _set_pixels(dataset, highest - pixels)
    dataset.PhotometricInterpretation = "MONOCHROME1"
    dataset.WindowCenter = highest - float(dataset.WindowCenter)
    return [dataset]


def _dark(source: _Source) -> list[Dataset]:
    """A bright marker beside the patient, ten times as bright as anything in the patient."""
    dataset, pixels = source.middle, source.middle.pixel_array
    dim = np.rint(pixels * (_HIGHEST / 12 / pixels.max()))
    low, high = np.percentile(dim, (1, 99.5)).round()
    rows, columns = np.indices(pixels.shape)
    dim[np.hypot(rows - 14, columns - 14) < 5] = _HIGHEST
    _set_pixels(dataset, dim)
    dataset.WindowCenter, dataset.WindowWidth = (low + high) / 2, high - low
    return [dataset]


def _upside_down(source: _Source) -> list[Dataset]:
    """The first row is the lowest one in the patient, and the orientation says so."""
    dataset, pixels = source.middle, source.middle.pixel_array
    down = np.array(dataset.ImageOrientationPatient[3:], float)
    last = np.array(dataset.ImagePositionPatient, float) + (len(pixels) - 1) * float(dataset.PixelSpacing[0]) * down
    _set_pixels(dataset, pixels[::-1])
    dataset.ImagePositionPatient = last.round(5).tolist()
    dataset.ImageOrientationPatient = [*dataset.ImageOrientationPatient[:3], *(-down).tolist()]
    return [dataset]


def _mislabelled(source: _Source) -> list[Dataset]:
    """A coronal slice, described as a sagittal one."""
    dataset = copy.deepcopy(source.coronal)
    dataset.SeriesDescription = source.middle.SeriesDescription
    return [dataset]


def _rescaled(source: _Source) -> list[Dataset]:
    """Two neighbours in one series, the second stored on another scale."""
    plain, other = copy.deepcopy(source.sagittal[_MIDDLE + 1]), source.middle
    slope, intercept = 4.0, -120.0
    _set_pixels(other, np.rint((other.pixel_array - intercept) / slope))
    plain.RescaleSlope, plain.RescaleIntercept = 1.0, 0.0
    other.RescaleSlope, other.RescaleIntercept = slope, intercept
    for dataset in (plain, other):
        dataset.RescaleType = "US"
    return [plain, other]


def _signed(source: _Source) -> list[Dataset]:
    """Signed values in 12 of 16 bits; the four bits above them are 0, also where the value is negative."""
    dataset, pixels = source.middle, source.middle.pixel_array
    values = np.rint(pixels * (2500 / pixels.max())).astype(int) - 1000
    _set_pixels(dataset, values & _HIGHEST)
    dataset.PixelRepresentation = 1
    dataset.WindowCenter, dataset.WindowWidth = 0, 2000
    return [dataset]


def _two_patients(source: _Source) -> list[Dataset]:
    """Five slices that bear the same name; one is another patient's."""
    datasets = copy.deepcopy(source.sagittal[_MIDDLE - 2 : _MIDDLE + 3])
    datasets[source.seed % len(datasets)] = copy.deepcopy(source.stranger[_MIDDLE])
    for dataset in datasets:
        dataset.PatientName = "phantom^namesake"
    return datasets


def _several_frames(source: _Source) -> list[Dataset]:
    """Seven slices in one enhanced file, in the order in which they were acquired: first every other one."""
    spread = source.sagittal[_MIDDLE - 6 : _MIDDLE + 7 : 2]
    frames = [*spread[0::2], *spread[1::2]]
    dataset = copy.deepcopy(frames[0])
    _set_pixels(dataset, np.stack([frame.pixel_array for frame in frames]))
    dataset.SOPClassUID = EnhancedMRImageStorage
    dataset.NumberOfFrames = len(frames)
    shared, measures, orientation = Dataset(), Dataset(), Dataset()
    measures.PixelSpacing, measures.SliceThickness = dataset.PixelSpacing, dataset.SliceThickness
    orientation.ImageOrientationPatient = dataset.ImageOrientationPatient
    shared.PixelMeasuresSequence, shared.PlaneOrientationSequence = [measures], [orientation]
    dataset.SharedFunctionalGroupsSequence = [shared]
    dataset.PerFrameFunctionalGroupsSequence = [_placed(frame) for frame in frames]
    for keyword in ("PixelSpacing", "SliceThickness", "SpacingBetweenSlices", "ImageOrientationPatient"):
        delattr(dataset, keyword)
    del dataset.ImagePositionPatient
    return [dataset]


def _placed(frame: Dataset) -> Dataset:
    """Return the functional groups of one frame: its position."""
    groups, position = Dataset(), Dataset()
    position.ImagePositionPatient = frame.ImagePositionPatient
    groups.PlanePositionSequence = [position]
    return groups


def _every_second(source: _Source) -> list[Dataset]:
    """Every second slice of a series; the headers still state the distance between the slices that were acquired."""
    return copy.deepcopy(source.sagittal[::2])


_MAKERS: tuple[Callable[[_Source], list[Dataset]], ...] = (
    _rectangular,
    _inverted,
    _dark,
    _upside_down,
    _mislabelled,
    _rescaled,
    _signed,
    _two_patients,
    _several_frames,
    _every_second,
)

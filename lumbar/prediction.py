"""Find the points in pictures that nobody has marked, and say where they lie in the picture and in the patient."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from lumbar import weights
from lumbar.errors import ScanError
from lumbar.names import LEVELS, PICTURES, VIEWS
from lumbar.settings import setting

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from lumbar.geometry import Affine
    from lumbar.scans import Scan

COLUMNS = ("image", "view", "level", "side", "x", "y", "confidence", "flagged", "x_mm", "y_mm", "z_mm", "frame")
"""Columns of the table of points, see `Predictions`."""

ENDINGS = {*PICTURES, ".dcm", ""}
"""Files with these endings are taken from a folder, and what begins as DICOM files do, whatever it is called.
Volumes are not taken: the masks that lie beside them have the same endings."""

MIDDLE = "of the volume the middle sagittal slice was taken; choose another with --frame N, in Python frame=N"


@dataclass(frozen=True)
class PredictionSettings:
    """Settings of a prediction."""

    weights: str = setting(weights.DEFAULT, "trained network: a released one by its name, or a run's folder or name")
    view: str | None = setting(
        None, "plane of pictures whose files do not say it (PNG, JPEG; default: sagittal)", choices=VIEWS
    )
    frame: int | None = setting(
        None,
        "frame of a multi-frame file, or sagittal slice of a volume counted from the patient's right, from 0 (default: "
        "a volume's middle slice)",
        at_least=0,
    )


@dataclass(frozen=True)
class Picture:
    """What is known of a picture beside its points.

    Args:
        image: The file.
        view: Its plane, one of `lumbar.names.VIEWS`.
        width: Columns.
        height: Rows.
        pixel_width: Distance of neighbouring columns, mm; None if the file does not say.
        pixel_height: Distance of neighbouring rows, mm; None if the file does not say.
        frame: Which frame of a multi-frame file or slice of a volume, from 0; None for a file of one picture.
        assumed: Whether nobody said the plane, so that it was taken for sagittal.
        warnings: What was repaired or is odd, in plain sentences.
    """

    image: str
    view: str
    width: int
    height: int
    pixel_width: float | None = None
    pixel_height: float | None = None
    frame: int | None = None
    assumed: bool = False
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Predictions:
    """What was found.

    Args:
        table: One row per point: image (the file), view, level ("" for an axial picture: a single slice does not tell
            its level), side (of axial points, else ""), x and y (native pixels, the centre of the first one is (0, 0)),
            confidence (chance that the point is within 5 pixels of the 256 frame of the true one; NaN from a network
            without maps), flagged (whether the picture's points, taken together, are not to be believed unchecked: a
            confidence is low, or the network is surer of the picture turned round),
            x_mm, y_mm, z_mm (patient coordinates, LPS; NaN where the file does not place the picture), frame (see
            `Picture`; Int64).
        refused: Why files were left out, one error each.
        pictures: What is known of each picture of the table, in its order.
        network: Name of the network that was asked.
        synthetic: Whether it was trained on synthetic patients only.
    """

    table: pd.DataFrame
    refused: tuple[ScanError, ...]
    pictures: tuple[Picture, ...]
    network: str
    synthetic: bool

    @property
    def assumed(self) -> tuple[Path, ...]:
        """Pictures whose plane nobody said, taken for sagittal."""
        return tuple(Path(picture.image) for picture in self.pictures if picture.assumed)

    @property
    def remarks(self) -> dict[str, tuple[Path, ...]]:
        """What is odd about pictures or was repaired, each with the pictures concerned."""
        concerned = defaultdict(list)
        for picture in self.pictures:
            for warning in picture.warnings:
                concerned[warning].append(Path(picture.image))
        return {warning: tuple(images) for warning, images in concerned.items()}


def predict(
    paths: Sequence[str | Path], settings: PredictionSettings = PredictionSettings(), *, progress: bool = True
) -> Predictions:
    """Find the points in pictures. A file that cannot be used is left out, and said.

    Args:
        paths: DICOM, PNG and JPEG files, and folders of them, searched to the bottom.
        settings: With which network.
        progress: Show progress bars.

    Raises:
        RunError: If there is no such network.
        ScanError: If there is no file that may be a picture.
    """
    import numpy as np
    import pandas as pd
    from tqdm.auto import tqdm

    from lumbar import accuracy, evaluation, landmarks, turns
    from lumbar.geometry import Affine
    from lumbar.preprocess import unmarked
    from lumbar.scans import identity

    network = weights.find(settings.weights)
    about_network = {"network": Path(settings.weights).resolve().name, "synthetic": network.synthetic}
    meant = list(files(paths))
    if not meant:
        raise ScanError("there is no picture here", file=", ".join(map(str, paths)), expected="DICOM, PNG or JPEG")
    found, refused = [], []
    for file in tqdm(meant, "reading", unit="picture", disable=not progress):
        try:
            _check_link(file, paths)
            found.append(_read(file, settings, network))
        except ScanError as error:
            refused.append(error)
    if not found:
        return Predictions(pd.DataFrame(columns=list(COLUMNS)), tuple(refused), (), **about_network)
    channels = landmarks.channels(network.views)
    asked = [(each.picture, each.about.view, each.to_256) for each in found]
    prepared = unmarked(*zip(*asked, strict=True), channels)
    points, chances = evaluation.predict_with_confidence(network.file, prepared, progress=progress)
    confidences = network.confidence(chances)
    belongs = accuracy.belongs(prepared.index["view"], channels)
    unsaid = np.array([each.scan.orientation is None for each in found])
    turned = turns.surer(network.file, prepared, chances, unsaid)
    remarks = defaultdict(list)
    for file, clash in identity.clashes((each.scan.path, each.scan.identity) for each in found):
        remarks[file].append(clash)
    rows, pictures = [], []
    for number, (each, matrix, xy) in enumerate(zip(found, prepared.to_native, points, strict=True)):
        here, sure = belongs[number], confidences[number]
        flagged = bool((sure[here] < network.doubtful).any()) or bool(turned[number])
        if turned[number]:
            remarks[each.scan.path].append(f"looks {turned[number]} to the network; flagged")
        names = [name for name, shown in zip(channels, here, strict=True) if shown]
        picture_rows = _rows(each, names, Affine(matrix).points(xy[here]), sure[here])
        rows.extend(row | {"flagged": flagged} for row in picture_rows)
        pictures.append(replace(each.about, warnings=(*each.about.warnings, *remarks[each.scan.path])))
    table = pd.DataFrame(rows, columns=list(COLUMNS)).astype({"frame": "Int64"})
    return Predictions(table, tuple(refused), tuple(pictures), **about_network)


def by_picture(table: pd.DataFrame) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """A table of points, picture by picture.

    Args:
        table: See `Predictions`.

    Yields:
        A name for what is written about the picture (its place in the table and the file's name without the ending, so
        that files of the same name in several folders stay apart), the file, and its rows.
    """
    for number, (image, points) in enumerate(table.groupby("image", sort=False), start=1):
        # File systems take names of 255 bytes; an ending has to fit in too.
        yield f"{number:04d}_{Path(image).stem[:60]}", image, points


def files(paths: Sequence[str | Path]) -> Iterator[Path]:
    """The files meant: those named, and in folders all that may be pictures, in the order of their names; each once."""
    yield from dict.fromkeys(file for path in map(Path, paths) for file in _files_of(path))


def _files_of(path: Path) -> Iterator[Path]:
    if not path.is_dir():
        yield path
        return
    from lumbar.scans import begins_as_dicom

    inside = (file for file in sorted(path.rglob("*")) if not file.name.startswith(".") and file.is_file())
    yield from (file for file in inside if file.suffix.lower() in ENDINGS or begins_as_dicom(file))


def _check_link(file: Path, paths: Sequence[str | Path]) -> None:
    """A folder from a stranger may hold links to files that are none of its business."""
    if not file.is_symlink() or file in map(Path, paths):
        return
    target = file.resolve()
    if not any(target.is_relative_to(Path(path).resolve()) for path in paths):
        raise ScanError(
            "the file is a link that leads out of the folder",
            file=file,
            remedy="name the file itself if you mean it",
        )


@dataclass(frozen=True, eq=False)
class _Read:
    """A scan (without its pixels), what to say of it, the picture for the network, and the map from native pixels."""

    scan: Scan
    about: Picture
    picture: np.ndarray
    to_256: Affine


def _read(file: Path, settings: PredictionSettings, network: weights.Weights) -> _Read:
    from lumbar import preprocess, scans

    middle = scans.middle_frame(file) if settings.frame is None else None
    frame = settings.frame if middle is None else middle
    scan = scans.read(file, frame=frame)
    view = scan.view or settings.view or (network.views[0] if len(network.views) == 1 else VIEWS[0])
    if view not in network.views:
        raise ScanError(
            "the network was not trained on this plane",
            file=file,
            field="view",
            found=view,
            expected=", ".join(network.views),
            remedy="choose other --weights, or leave such pictures out",
        )
    if scan.pixels.min() == scan.pixels.max():
        raise ScanError("the picture is one grey throughout", file=file, found=float(scan.pixels.flat[0]))
    height, width = scan.pixels.shape
    assumed = scan.view is None and settings.view is None and len(network.views) > 1
    spacing = {"pixel_width": scan.pixel_width, "pixel_height": scan.pixel_height}
    remarks = scan.warnings if middle is None else (*scan.warnings, MIDDLE)
    about = Picture(str(file), view, width, height, **spacing, frame=frame, assumed=assumed, warnings=remarks)
    picture, to_256 = preprocess.upright_square(scan, preprocess.PreprocessSettings(fit=network.fit))
    return _Read(replace(scan, pixels=picture[:0]), about, picture, to_256)


def _rows(each: _Read, names: list[str], xy_native: np.ndarray, confidences: np.ndarray) -> Iterator[dict]:
    for name, xy, confidence in zip(names, xy_native, confidences, strict=True):
        row = {"image": each.about.image, "view": each.about.view, "frame": each.about.frame}
        row |= dict(zip("xy", xy, strict=True))
        row |= {"level": name, "side": ""} if name in LEVELS else {"level": "", "side": name}
        if each.scan.plane is not None:
            row |= dict(zip(("x_mm", "y_mm", "z_mm"), each.scan.plane.to_patient(xy), strict=True))
        yield row | {"confidence": confidence}

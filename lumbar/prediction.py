"""Find the points in images that nobody has marked, and state where they lie in the image and in the patient."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from lumbar import imaging, weights
from lumbar.core.constants import LEVELS, VIEWS
from lumbar.core.errors import ScanError
from lumbar.datasets.quality import read as read_quality
from lumbar.imaging import Scan, identity
from lumbar.imaging.folder import Unread, list_images
from lumbar.inference import PreparedScan, ScanPoints, find_points
from lumbar.orientation import detect_orientation
from lumbar.runs.settings import PredictionSettings
from lumbar.study.marking import remark_on_slices
from lumbar.study.volume import find_middle_frame
from lumbar.weights import Weights

COLUMNS = (
    *("image", "view", "level", "side", "x", "y", "confidence", "absent"),
    *("flagged", "x_mm", "y_mm", "z_mm", "frame"),
    *("one_higher", "x_higher", "y_higher", "one_lower", "x_lower", "y_lower"),
)
"""Columns of the table of points, see `Predictions`."""


@dataclass(frozen=True)
class Picture:
    """What is known of an image apart from its points.

    Args:
        image: The file.
        view: Its plane, one of `lumbar.core.constants.VIEWS`.
        width: Columns.
        height: Rows.
        pixel_width: Distance between neighbouring columns, mm; None if the file does not state it.
        pixel_height: Distance between neighbouring rows, mm; None if the file does not state it.
        frame: Frame of a multi-frame file or slice of a volume, from 0; None for a file of one image.
        assumed: Whether neither file nor user states the plane, so that it was taken for sagittal.
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
    """The points found in several images.

    Args:
        table: One row per point: image (the file), view, level ("" for an axial picture: a single slice does not tell
            its level), side (of axial points, else ""), x and y (native pixels, the centre of the first one is (0, 0);
            NaN for a level that the image does not show), confidence (probability that the point is within 5 pixels of
            the 256 frame of the true one; NaN without a point, and from a network without heatmaps), absent
            (probability that the image does not show the level; NaN from a network that cannot tell), flagged (whether
            the image's points need checking: a confidence is low, it is not clear whether a level is absent, levels are
            unevenly spaced or may be miscounted, the network was not trained on this kind of imaging or is surer of the
            turned image, or the volume may not contain its mid-sagittal slice; missing if none of these and the network
            has no heatmaps, so that it cannot judge), x_mm, y_mm, z_mm (patient coordinates, LPS; NaN without a point,
            or where the file does not place the image), frame (see `Picture`; Int64), one_higher (probability that each
            level of the image lies one disc higher; NaN where the network cannot tell), x_higher and y_higher (native
            pixels of the point if so; NaN where the network knows no disc), one_lower, x_lower, y_lower (the same one
            disc lower).
        refused: Why files were left out, one error each.
        pictures: What is known of each image of the table, in its order.
        network: Name of the network that answered.
        synthetic: Whether it was trained on synthetic patients only.
        unread: Files in the folders that are not read, by kind.
        not_passed: Files that are not read because they did not pass a quality control.
    """

    table: pd.DataFrame
    refused: tuple[ScanError, ...]
    pictures: tuple[Picture, ...]
    network: str
    synthetic: bool
    unread: tuple[Unread, ...] = ()
    not_passed: tuple[Path, ...] = ()

    @property
    def judged(self) -> bool:
        """Whether the network gives a confidence to judge images by; one without heatmaps does not."""
        return is_judged(self.table)

    @property
    def assumed(self) -> tuple[Path, ...]:
        """Images whose plane is not stated, taken for sagittal."""
        return tuple(Path(picture.image) for picture in self.pictures if picture.assumed)

    @property
    def remarks(self) -> dict[str, tuple[Path, ...]]:
        """What is odd about images or was repaired, each with the images concerned."""
        concerned = defaultdict(list)
        for picture in self.pictures:
            for warning in picture.warnings:
                concerned[warning].append(Path(picture.image))
        return {warning: tuple(images) for warning, images in concerned.items()}


def predict(
    paths: Sequence[str | Path], settings: PredictionSettings = PredictionSettings(), *, progress: bool = True
) -> Predictions:
    """Find the points in images. A file that cannot be used is left out and reported.

    Args:
        paths: DICOM, PNG and JPEG files and volumes, and folders of them, see `lumbar.imaging.folder.list_images`.
        settings: The network, and how to read the files.
        progress: Show a progress bar.

    Raises:
        RunError: If there is no such network.
        ScanError: If there is no file that may be an image, or none passed the quality control.
        DatasetError, TableError: If the file of its judgements holds something else.
    """
    network = weights.find(settings.weights, settings.engine)
    listing = list_images(paths)
    if not listing.images:
        raise ScanError(
            "there is no picture here",
            file=", ".join(map(str, paths)),
            found="; ".join(map(str, listing.unread)) or "an empty folder",
            expected="DICOM, PNG, JPEG, .mha or .nii",
        )
    images, not_passed = _judged(listing.images, settings.quality)
    about = {"network": Path(settings.weights).resolve().name, "synthetic": network.synthetic, "unread": listing.unread}
    about["not_passed"] = not_passed
    found: list[_Read] = []
    refused: list[ScanError] = []

    def prepared() -> Iterator[PreparedScan]:
        for file in tqdm(images, "predicting", unit="picture", disable=not progress):
            try:
                _check_link(file, paths)
                found.append(_read(file, settings, network))
            except ScanError as error:
                refused.append(error)
            else:
                yield found[-1].prepared

    coming = prepared()
    first = next(coming, None)
    if first is None:
        return Predictions(pd.DataFrame(columns=list(COLUMNS)), tuple(refused), (), **about)
    answers = find_points(network, chain([first], coming), progress=False)
    unstated = np.array([each.scan.orientation is None for each in found])
    turned = detect_orientation(network, answers.prepared, answers.probability, unstated)
    remarks = defaultdict(list)
    for file, clash in identity.clashes((each.scan.path, each.scan.identity) for each in found):
        remarks[file].append(clash)
    places = [(each.scan.path, each.about.frame or 0) for each in found]
    sagittal_of_study = defaultdict(dict)
    for each, place, points in zip(found, places, answers.points, strict=True):
        if each.about.view == "sagittal" and each.scan.identity.get("study"):
            sagittal_of_study[each.scan.identity["study"]][place] = points
    slice_remarks = {}
    for slices in sagittal_of_study.values():
        slice_remarks |= remark_on_slices(slices)
    rows, pictures = [], []
    for each, place, points, turn in zip(found, places, answers.points, turned, strict=True):
        if turn:
            remarks[each.scan.path].append(f"looks {turn} to the network; flagged")
        doubts = [f"{doubt}; flagged" for doubt in points.doubts]
        here = [*remarks[each.scan.path], *doubts, *([slice_remarks[place]] if place in slice_remarks else [])]
        flag = {"flagged": True if turn or each.doubtful else points.flagged}
        rows.extend(row | flag for row in _rows(each, points))
        pictures.append(replace(each.about, warnings=(*each.about.warnings, *here)))
    table = pd.DataFrame(rows, columns=list(COLUMNS)).astype({"frame": "Int64"})
    if table["flagged"].isna().any():
        table = table.astype({"flagged": "boolean"})
    return Predictions(table, tuple(refused), tuple(pictures), **about)


def is_judged(table: pd.DataFrame) -> bool:
    """Whether each point of a table has a confidence, or is absent; see `Predictions`."""
    return bool((table["confidence"].notna() | (table["absent"] > 0.5)).all())


def by_picture(table: pd.DataFrame) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """Yield a table of points image by image.

    Args:
        table: See `Predictions`.

    Yields:
        A name for files written about the image (its position in the table and its file's name without the ending, so
        that files of the same name in several folders stay apart), its file, and its rows.
    """
    for number, (image, points) in enumerate(table.groupby("image", sort=False), start=1):
        # File systems take names of 255 bytes; an ending has to fit in too.
        yield f"{number:04d}_{Path(image).stem[:60]}", image, points


def _judged(images: tuple[Path, ...], quality: Path | None) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
    """Return the images that passed a quality control, all if there was none, and the others."""
    if quality is None:
        return images, ()
    passed = dict.fromkeys(read_quality(quality).passing(images))
    if not passed:
        raise ScanError(
            "none of the images passed the quality control",
            file=quality,
            found=f"{len(images)} images, the first {images[0]}",
            remedy="give the same files as when the judged points were found, from the same working folder",
        )
    return tuple(passed), tuple(file for file in images if file not in passed)


def _check_link(file: Path, paths: Sequence[str | Path]) -> None:
    """Refuse a link that leads out of a folder: a folder from a stranger may link to files that it should not reach."""
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
    """A scan (without its pixels), what is known of it, the image for the network, and whether to flag its points."""

    scan: Scan
    about: Picture
    prepared: PreparedScan
    doubtful: bool


def _read(file: Path, settings: PredictionSettings, network: Weights) -> _Read:
    if imaging.is_mask(file):
        raise ScanError("the volume holds labels (a mask), not a scan", file=file, remedy="give the scan itself")
    whole = settings.frame is None and imaging.is_volume(file) and file.is_file()
    middle = find_middle_frame(file, network) if whole else None
    frame = settings.frame if middle is None else middle.frame
    scan = imaging.read(file, frame=frame)
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
    if network.unfamiliar(scan.identity.get("modality", "")) and not settings.any_modality:
        raise ScanError(
            "the network was not trained on this kind of imaging",
            file=file,
            field="modality",
            found=scan.identity["modality"],
            expected=" or ".join(network.modalities),
            remedy="choose other --weights, or give --any-modality for points that are most likely wrong",
        )
    if scan.pixels.min() == scan.pixels.max():
        raise ScanError("the picture is one grey throughout", file=file, found=float(scan.pixels.flat[0]))
    height, width = scan.pixels.shape
    assumed = scan.view is None and settings.view is None and len(network.views) > 1
    spacing = {"pixel_width": scan.pixel_width, "pixel_height": scan.pixel_height}
    remarks = scan.warnings if middle is None else (*scan.warnings, middle.remark)
    about = Picture(str(file), view, width, height, **spacing, frame=frame, assumed=assumed, warnings=remarks)
    prepared = PreparedScan.of(scan, view, network)
    doubtful = middle is not None and middle.doubtful
    return _Read(replace(scan, pixels=prepared.image[:0]), about, prepared, doubtful)


def _rows(each: _Read, points: ScanPoints) -> Iterator[dict]:
    count = points.count
    for order, (name, xy, confidence, absent) in enumerate(
        zip(points.names, points.xy_native, points.confidence, points.absent, strict=True)
    ):
        row = {"image": each.about.image, "view": each.about.view, "frame": each.about.frame}
        row |= dict(zip("xy", xy, strict=True))
        if count is not None:
            row |= {"one_higher": count.one_higher, "one_lower": count.one_lower}
            row |= dict(zip(("x_higher", "y_higher"), count.higher[order], strict=True))
            row |= dict(zip(("x_lower", "y_lower"), count.lower[order], strict=True))
        row |= {"level": name, "side": ""} if name in LEVELS else {"level": "", "side": name}
        if each.scan.plane is not None:
            row |= dict(zip(("x_mm", "y_mm", "z_mm"), each.scan.plane.to_patient(xy), strict=True))
        yield row | {"confidence": confidence, "absent": absent}

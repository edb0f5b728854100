"""Find the points in pictures that nobody has marked, and say where they lie in the picture and in the patient."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lumbar.errors import ScanError
from lumbar.names import LEVELS, VIEWS
from lumbar.settings import setting

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from lumbar.geometry import Affine
    from lumbar.scans import Scan

COLUMNS = ("image", "view", "level", "side", "x", "y", "x_mm", "y_mm", "z_mm")
"""Columns of the table of points, see `Predictions`."""

ENDINGS = (".dcm", ".png", ".jpg", ".jpeg", "")
"""Files with these endings are taken from a folder; hospitals often write DICOM files without one."""


@dataclass(frozen=True)
class PredictionSettings:
    """Settings of a prediction."""

    run: Path | None = setting(None, "run folder, or its name under runs/; the newest trained one if left out")
    view: str | None = setting(None, "plane of pictures whose files do not say it (PNG, JPEG)", choices=VIEWS)


@dataclass(frozen=True, eq=False)
class Predictions:
    """What was found.

    Args:
        table: One row per point: image (the file), view, level ("" for an axial picture: a single slice does not tell
            its level), side (of axial points, else ""), x and y (native pixels, the centre of the first one is (0, 0)),
            x_mm, y_mm, z_mm (patient coordinates, LPS; NaN where the file does not place the picture).
        refused: Why files were left out, one error each.
        synthetic: Whether the network was trained on synthetic patients only.
    """

    table: pd.DataFrame
    refused: tuple[ScanError, ...]
    synthetic: bool


def predict(
    paths: Sequence[str | Path], settings: PredictionSettings = PredictionSettings(), *, progress: bool = True
) -> Predictions:
    """Find the points in pictures. A file that cannot be used is left out, and said.

    Args:
        paths: DICOM, PNG and JPEG files, and folders of them, searched to the bottom.
        settings: With which network.
        progress: Show progress bars.

    Raises:
        RunError: If there is no such run or it has no trained network.
    """
    import numpy as np
    import pandas as pd
    from tqdm.auto import tqdm

    from lumbar import accuracy, evaluation, landmarks
    from lumbar.geometry import Affine
    from lumbar.preprocess import Prepared
    from lumbar.training import load_settings

    run = evaluation.run_folder(settings.run)
    trained_with = load_settings(run)
    found, refused = [], []
    for file in tqdm(list(files(paths)), "reading", unit="picture", disable=not progress):
        try:
            found.append(_read(file, settings.view, trained_with))
        except ScanError as error:
            refused.append(error)
    synthetic = set(pd.read_csv(run / "split.csv")["source"]) == {"phantom"}
    if not found:
        return Predictions(pd.DataFrame(columns=list(COLUMNS)), tuple(refused), synthetic)
    channels = landmarks.channels(trained_with.views)
    scans, pictures, to_256 = zip(*found, strict=True)
    views = [view for _, view in scans]
    prepared = Prepared(
        images=np.stack(pictures),
        index=pd.DataFrame({"view": views}),
        to_native=np.stack([frame.inverse().matrix for frame in to_256]),
        points=np.full((len(found), len(channels), 2), np.nan),
        channels=channels,
    )
    answers = evaluation.predict(run / "best.keras", prepared, progress=progress)
    belongs = accuracy.belongs(views, channels)
    rows = [
        row
        for number, (scan, view) in enumerate(scans)
        for row in _rows(
            scan,
            view,
            [name for name, here in zip(channels, belongs[number], strict=True) if here],
            Affine(prepared.to_native[number]).points(answers[number, belongs[number]]),
        )
    ]
    return Predictions(pd.DataFrame(rows, columns=list(COLUMNS)), tuple(refused), synthetic)


def files(paths: Sequence[str | Path]) -> Iterator[Path]:
    """The files meant: those named, and in folders all that may be pictures, in the order of their names."""
    for path in map(Path, paths):
        if path.is_dir():
            inside = sorted(file for file in path.rglob("*") if file.suffix.lower() in ENDINGS and file.is_file())
            yield from (file for file in inside if not file.name.startswith("."))
        else:
            yield path


def _read(file: Path, stated_view: str | None, trained_with) -> tuple[tuple[Scan, str], np.ndarray, Affine]:
    """(scan without its pixels, view), the picture for the network, and the map from native pixels to it."""
    import dataclasses

    import numpy as np

    from lumbar import preprocess, scans

    scan = scans.read(file)
    view = scan.view or stated_view or (trained_with.views[0] if len(trained_with.views) == 1 else None)
    if view not in trained_with.views:
        raise ScanError(
            "the network was not trained on this plane" if view else "the file does not say which plane it shows",
            file=file,
            field="view",
            found=view,
            expected=", ".join(trained_with.views),
            remedy="use another --run" if view else "say it with --view",
        )
    settings = preprocess.PreprocessSettings(fit=trained_with.fit)
    height, width = scan.pixels.shape
    to_256 = preprocess.frame(width, height, scan.pixel_width or np.nan, scan.pixel_height or np.nan, settings)
    picture = preprocess.square(scan.pixels, to_256, settings)
    return (dataclasses.replace(scan, pixels=picture[:0]), view), picture, to_256


def _rows(scan: Scan, view: str, names: list[str], xy_native: np.ndarray) -> Iterator[dict]:
    for name, xy in zip(names, xy_native, strict=True):
        row = {"image": str(scan.path), "view": view} | dict(zip("xy", xy, strict=True))
        row |= {"level": name, "side": ""} if name in LEVELS else {"level": "", "side": name}
        if scan.plane is not None:
            row |= dict(zip(("x_mm", "y_mm", "z_mm"), scan.plane.to_patient(xy), strict=True))
        yield row

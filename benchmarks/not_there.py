"""What a network says of images that lack some levels, or all: ``python -m benchmarks.not_there --real FOLDER``.

A network has to say that a level is absent where it is (recall), and not where it is not (false alarms). It must not
answer an image of something else without a flag. The command prints a table with a row for each kind of image and
writes not_there.csv. The synthetic patients are new ones (seed 41), and their images have any field of view. Some are
given to the network again as if their file stated another kind of imaging than MR; all of them should be flagged.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from matplotlib import cbook

from lumbar import datasets, weights
from lumbar.core import paths
from lumbar.geometry import SIZE, Affine
from lumbar.inference import PreparedScan, find_points
from lumbar.landmarks import LEVELS
from lumbar.phantom import PhantomSettings, write_dataset
from lumbar.preprocess import Prepared
from lumbar.storage.files import write_table

PHANTOMS = PhantomSettings(
    patients=100,
    seed=41,
    series=("sagittal-t1", "sagittal-t2", "coronal-t2", "axial-t2"),
    neighbours=True,
    field_of_view=1.0,
)
NECKS = PhantomSettings(patients=50, seed=42, series=("sagittal-t1", "sagittal-t2"), necks=1.0)
PHOTOGRAPHS = ("grace_hopper.jpg", "logo2.png", "Minduka_Present_Blue_Pack.png")
"""Images that come with Matplotlib."""

WINDOWS = {"L1/L2 to L3/L4": (-1.0, 2.5), "L4/L5 and below": (2.5, 5.5), "above L1/L2": (-4.0, -0.4)}
"""Part of a real image → its upper and lower edge, counted in levels from L1/L2 (0) to L5/S1 (4)."""

OUTSIDE = -99.0
"""Coordinate of a level that is not in the image."""


MODALITIES = ("CT", "CR", "DX", "MR")
"""Kinds of imaging that a file may state; the released networks know the last one."""


def kinds(real: Path | None) -> Iterator[tuple[str, np.ndarray, np.ndarray, list[str], str]]:
    """Yield each kind of image: its name, images (N, 256, 256), points (N, 5, 2; outside: absent), views, modality."""
    views = ("sagittal", "coronal", "axial")
    folder = write_dataset(paths.data() / "not-there", PHANTOMS)
    necks = write_dataset(paths.data() / "not-there-necks", NECKS)
    phantoms = datasets.prepare(datasets.load(folder), views=views).without_neighbours()
    view = phantoms.index["view"].to_numpy()
    for each in ("sagittal", "coronal"):
        yield f"phantoms, {each}, any field of view", *_of_levels(phantoms.select(view == each)), ""
    for modality in MODALITIES:
        yield f"the sagittal ones, as {modality}", *_of_levels(phantoms.select(view == "sagittal")), modality
    if real:
        whole = datasets.prepare(datasets.load(real), views=views).without_neighbours()
        whole = whole.select(whole.index["view"].eq("sagittal").to_numpy())
        yield "real, sagittal, whole", *_of_levels(whole), ""
        for name, (upper, lower) in WINDOWS.items():
            yield f"real, sagittal, {name}", *_of_levels(_window(whole, upper, lower)), ""
    noise = np.random.default_rng(0).integers(0, 256, (20, SIZE, SIZE), np.uint8)
    for name, images in (
        ("phantoms of the neck", datasets.prepare(datasets.load(necks), views=views).images),
        ("axial phantoms taken for sagittal", phantoms.images[view == "axial"][:100]),
        ("photograph and drawings", [_photograph(name) for name in PHOTOGRAPHS]),
        ("noise", noise),
        ("blurred noise", [cv2.GaussianBlur(image, (0, 0), 9) for image in noise]),
    ):
        yield name, np.array(images), np.full((len(images), 5, 2), OUTSIDE), ["sagittal"] * len(images), ""


def measured(
    network: weights.Weights, images: np.ndarray, true: np.ndarray, views: list[str], modality: str
) -> dict[str, float]:
    """Return how a network answers for one kind of image.

    Returns:
        Numbers of images and of absent levels; shares: recall (of absent levels that are called absent), false_alarms
        (of shown levels that are called absent), wrong (images with a point where there is no level, without one where
        there is, or more than half a gap off), wrong_unflagged, right_flagged and flagged.
    """
    as_it_is = Affine(np.eye(2, 3))
    scans = [PreparedScan(image, view, as_it_is, modality) for image, view in zip(images, views, strict=True)]
    found = find_points(network, scans).points
    points = np.array([each.xy_native for each in found])
    gone, flagged = np.isnan(points).any(axis=-1), np.array([bool(each.flagged) for each in found])
    shown = ((true >= -0.5) & (true <= SIZE - 0.5)).all(axis=-1)
    gap = np.nanmedian(np.linalg.norm(np.diff(true, axis=1), axis=-1), axis=1)
    off = np.linalg.norm(points - true, axis=-1) > gap[:, None] / 2
    wrong = np.where(shown, gone | off, ~gone).any(axis=1)
    share = {"recall": gone[~shown], "false_alarms": gone[shown], "wrong": wrong, "wrong_unflagged": wrong & ~flagged}
    share |= {"right_flagged": flagged[~wrong], "flagged": flagged}
    counts = {"images": len(images), "absent": int((~shown).sum())}
    return counts | {name: float(which.mean()) if len(which) else np.nan for name, which in share.items()}


def _photograph(name: str) -> np.ndarray:
    image = cv2.imread(str(cbook.get_sample_data(name, asfileobj=False)), cv2.IMREAD_GRAYSCALE)
    return cv2.resize(image, (SIZE, SIZE), interpolation=cv2.INTER_AREA)


def _of_levels(part: Prepared) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Return images, points of the levels and views; a level that is known to be absent lies outside."""
    levels = [part.channels.index(level) for level in LEVELS]
    absent = np.zeros(part.points.shape[:2], bool) if part.absent is None else part.absent
    points = np.where(absent[..., None], OUTSIDE, part.points)[:, levels]
    known = np.isfinite(points).all(axis=(1, 2))
    return part.images[known], points[known], part.index["view"][known].tolist()


def _window(part: Prepared, upper: float, lower: float) -> Prepared:
    """Cut images off at two heights, counted in levels from L1/L2 (0) to L5/S1 (4), and stretch them to the square."""
    levels = [part.channels.index(level) for level in LEVELS]
    images, points = [], []
    for image, xy in zip(part.images, part.points, strict=True):
        first, step = xy[levels[0], 1], np.diff(xy[levels, 1]).mean()
        top, bottom = (float(np.clip(first + level * step + 0.5, 0, SIZE)) for level in (upper, lower))
        if bottom - top < 24:  # too little is left to show anything
            continue
        window = Affine.translation(0, -top).then(Affine.stretch(SIZE, bottom - top))
        images.append(window.image(image))
        points.append(window.points(xy))
    return replace(part.select(np.arange(len(images))), images=np.array(images), points=np.array(points))


def main() -> None:
    """Print the table and write it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.not_there", description=main.__doc__)
    parser.add_argument("--weights", nargs="+", default=weights.released(), help="networks (default: the released)")
    parser.add_argument("--real", type=Path, metavar="FOLDER", help="labelled real images, whole lumbar spines")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".csv"), help="table to write")
    arguments = parser.parse_args()
    networks = {name: weights.find(name) for name in arguments.weights}
    rows = [
        {"network": name, "kind": kind, **measured(network, *images)}
        for kind, *images in kinds(arguments.real)
        for name, network in networks.items()
    ]
    table = pd.DataFrame(rows).sort_values("network", kind="stable").round(3)
    write_table(arguments.out, table)
    print(table.to_string(index=False))


if __name__ == "__main__":
    main()

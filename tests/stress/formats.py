"""Run each layout that we read through each command: ``python -m tests.stress.formats [LAYOUT …]``.

Twelve synthetic patients with their true points are written in each layout, and four commands are run on them: check,
train (one epoch of a tiny network), evaluate and predict. A table is printed; the exit code is 1 if anything fails.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from lumbar import datasets, imaging
from lumbar.cli.main import main as lumbar
from lumbar.core.constants import LEVELS
from lumbar.datasets import buu, coco, disc_labels, kaggle, own_csv, phantom_study, rsna, rsna_improved, spider, verse
from lumbar.geometry import SIZE, Affine
from lumbar.phantom.study import PhantomSettings, write_dataset
from tests.support.volume_formats import write_disc_labels, write_spider, write_verse

PATIENTS = 12
TINY = ("--epochs", "1", "--width", "2", "--depth", "3", "--no-tensorboard")
STEPS = ("check", "train", "evaluate", "predict")


def patients(made: Path) -> Iterator[tuple[int, Path, pd.DataFrame]]:
    """Yield for each synthetic patient a number, the file of the sagittal image, and its five points."""
    table = pd.read_csv(made / phantom_study.TABLE)
    for number, (image, rows) in enumerate(table.groupby("image"), start=1):
        yield number, made / image, rows.set_index("level").loc[list(LEVELS)]


def grey(file: Path) -> Image.Image:
    """Return the image in 8 bits."""
    pixels = imaging.read(file).pixels
    low, high = np.percentile(pixels, (0.5, 99.5))
    return Image.fromarray(np.clip((pixels - low) * 255 / (high - low), 0, 255).astype(np.uint8))


def save(picture: Image.Image, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    picture.save(file)


def write_phantom(made: Path, folder: Path) -> None:
    shutil.copytree(made, folder)


def write_kaggle(made: Path, folder: Path) -> None:
    rows = []
    for number, file, points in patients(made):
        picture = grey(file)
        to_256 = Affine.stretch(*picture.size)
        save(picture.resize((SIZE, SIZE)), folder / f"data/processed_lsd_jpgs/{number}.jpg")
        for level, (x, y) in zip(points.index, to_256.points(points[["x", "y"]]).round().astype(int), strict=True):
            rows.append((f"{number}.jpg", "lsd", x, y, level, x / SIZE, y / SIZE))
    columns = ["filename", "source", "x", "y", "level", "relative_x", "relative_y"]
    pd.DataFrame(rows, columns=columns).to_csv(folder / kaggle.TABLE, index=False)


def write_rsna(made: Path, folder: Path) -> None:
    rows = []
    for number, file, points in patients(made):
        study, series = 4_000_000 + 10 * number, 4_000_001 + 10 * number
        target = folder / rsna.PICTURES / str(study) / str(series) / "8.dcm"
        target.parent.mkdir(parents=True)
        shutil.copyfile(file, target)
        rows += [(study, series, 8, rsna.CANAL, level, x, y) for level, x, y in points[["x", "y"]].itertuples()]
    labels = pd.DataFrame(rows, columns=[*rsna.IDS, "condition", "level", "x", "y"])
    series = labels[["study_id", "series_id"]].drop_duplicates().assign(series_description="Sagittal T2/STIR")
    labels.to_csv(folder / rsna.LABELS, index=False)
    series.to_csv(folder / rsna.SERIES, index=False)


def write_rsna_improved(made: Path, folder: Path) -> None:
    write_rsna(made, folder)
    labels = pd.read_csv(folder / rsna.LABELS)
    width, height = grey(next(patients(made))[1]).size
    relative = labels.assign(relative_x=labels["x"] / width, relative_y=labels["y"] / height, side="R")
    relative.drop(columns=["x", "y"]).to_csv(folder / rsna_improved.TABLE)
    (folder / rsna.LABELS).unlink()


def write_buu(made: Path, folder: Path) -> None:
    """Write endplates that end 3 pixels above and below each point; the patient faces left."""
    for number, file, points in patients(made):
        save(grey(file), folder / "LA" / f"{number:04d}-F-037Y1.jpg")
        ends = [(x, y + side) for x, y in points[["x", "y"]].to_numpy() for side in (-3, 3)]
        ends.insert(0, (ends[0][0], ends[0][1] - 20))
        lines = [f"{x - 40:.4f},{y:.4f},{x:.4f},{y:.4f},0" for x, y in ends]
        (folder / "LA" / f"{number:04d}-F-037Y1.csv").write_text("\n".join(lines) + "\n")


def write_coco(made: Path, folder: Path) -> None:
    images, annotations = [], []
    for number, file, points in patients(made):
        picture = grey(file)
        save(picture, folder / "images" / f"{number}.png")
        size = dict(zip(("width", "height"), picture.size, strict=True))
        images.append({"id": number, "file_name": f"{number}.png", **size})
        keypoints = [float(value) for x, y in points[["x", "y"]].to_numpy() for value in (x, y, 2)]
        annotations.append({"id": number, "image_id": number, "category_id": 1, "keypoints": keypoints})
    categories = [{"id": 1, "name": "lumbar spine", "keypoints": list(LEVELS), "skeleton": []}]
    content = {"images": images, "annotations": annotations, "categories": categories}
    (folder / "annotations.json").write_text(json.dumps(content))


def write_own_csv(made: Path, folder: Path) -> None:
    rows = []
    for number, file, points in patients(made):
        save(grey(file), folder / f"scans/{number}.png")
        rows += [(f"scans/{number}.png", level, x, y) for level, x, y in points[["x", "y"]].itertuples()]
    pd.DataFrame(rows, columns=["image", "level", "x", "y"]).to_csv(folder / "points.csv", index=False)


FORMATS: dict[datasets.Reader, Callable[[Path, Path], None]] = {
    phantom_study.READER: write_phantom,
    kaggle.READER: write_kaggle,
    rsna.READER: write_rsna,
    rsna_improved.READER: write_rsna_improved,
    buu.READER: write_buu,
    coco.READER: write_coco,
    spider.READER: write_spider,
    verse.READER: write_verse,
    disc_labels.READER: write_disc_labels,
    own_csv.READER: write_own_csv,
}
"""Reader → function that writes synthetic patients in its layout, from the folder they are in to a new one."""


def try_out(reader: datasets.Reader, made: Path, folder: Path) -> dict[str, str]:
    """Return a row of the table: for each step the seconds that it took, or what went wrong."""
    name, points = folder.name, folder.with_name(f"{folder.name}.csv")
    FORMATS[reader](made, folder)
    commands = {
        "check": ("check", folder),
        "train": ("train", "--data", folder, *TINY, "--name", name),
        "evaluate": ("evaluate", "--run", name, "--bootstrap", "0"),
        "predict": ("predict", *pictures(folder), "--weights", name, "--out", points),
    }
    row = {"layout": reader.layout}
    for step, words in commands.items():
        begin = time.perf_counter()
        problem = outcome(*map(str, words))
        found = len(pd.read_csv(points)) if step == "predict" and not problem else None
        if found not in (None, len(pictures(folder)) * len(LEVELS)):
            problem = f"FAILED: {found} points in {len(pictures(folder))} images"
        row[step] = problem or f"ok {time.perf_counter() - begin:.0f} s"
    return row


def pictures(folder: Path) -> list[Path]:
    """Return the files that the table of a data set names."""
    dataset = datasets.load(folder)
    return [dataset.path(image) for image in dataset.table["image"].unique()]


def outcome(*words: str) -> str:
    """Run a command, and return what it printed last if it failed; "" if it succeeded."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        try:
            code = lumbar(words)
        except (Exception, SystemExit) as error:  # any error is a failure of this cell alone
            return f"FAILED: {type(error).__name__}: {error}"
    lines = [line for line in printed.getvalue().splitlines() if line.strip()]
    return "" if code == 0 else f"FAILED ({code}): " + " / ".join(lines[-4:])


def main() -> int:
    """Run the layouts, and print the table."""
    layouts = {reader.layout: reader for reader in datasets.READERS}
    parser = argparse.ArgumentParser(prog="python -m tests.stress.formats", description=__doc__)
    parser.add_argument("layouts", nargs="*", metavar="LAYOUT", help="part of a layout's name (default: all layouts)")
    words = [word.lower() for word in parser.parse_args().layouts or [""]]
    wanted = [layout for layout in layouts if any(word in layout.lower() for word in words)]
    with tempfile.TemporaryDirectory() as home:
        os.environ["LUMBAR_HOME"] = home
        made = write_dataset(Path(home) / "made", PhantomSettings(patients=PATIENTS, series=("sagittal-t2",)))
        rows = []
        for number, layout in enumerate(wanted):
            if layouts[layout] in FORMATS:
                rows.append(try_out(layouts[layout], made, Path(home) / f"format-{number}"))
            else:
                rows.append({"layout": layout} | dict.fromkeys(STEPS, "FAILED: no writer in tests/stress/formats.py"))
            print("  |  ".join(rows[-1].values()), file=sys.stderr, flush=True)  # each row as soon as it is there
    failed = [(row["layout"], step, row[step]) for row in rows for step in STEPS if row[step].startswith("FAILED")]
    print(pd.DataFrame(rows).replace("^FAILED.*", "FAILED", regex=True).to_string(index=False))
    print(f"{len(rows)} layouts × {len(STEPS)} commands: {len(failed) or 'none'} failed")
    for layout, step, problem in failed:
        print(f"{layout}, {step}: {problem}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

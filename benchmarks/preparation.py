"""Measure how fast a large data set is loaded and prepared: ``python benchmarks/preparation.py``.

The command makes a tree of DICOM files in the layout of RSNA 2024 in a temporary folder: 20,000 files take 4 GB, and
the images prepared from them a third of that. It measures at a quarter, at half and at the whole of the tree, beside a
plain loop of pydicom and scikit-image in one process:

- headers: from the folder to the landmark table with the size of each image, beside `dcmread` of each file;
- pictures: from the table to 256×256 images on disk, beside `pixel_array` and `skimage.transform.resize`;
- processor time per file, which depends less on a busy machine than the clock;
- peak memory of our process, and of the largest of its workers.

The files were just written, so they are read from the page cache: the figures show the processors, not the disk. Each
figure is the median of several rounds, in each of which all measurements take turns. The command prints a table and
writes preparation.csv. Ratios are comparable between machines, absolute figures are not. scikit-image must be
installed.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from lumbar.core import paths
from lumbar.core.allocator import keep_freed_memory
from lumbar.core.constants import LEVELS
from lumbar.datasets import rsna
from lumbar.storage.files import write_table

SLICES = 15
"""Slices per series, as is usual in sagittal studies."""

LOOPED = 400
"""Files that the plain loop reads, spread over the tree; its speed does not depend on their number."""


class Tree:
    """A folder in the layout of RSNA 2024 with one point per image: copies of one series under other identifiers."""

    def __init__(self, root: Path):
        from lumbar.phantom.study import PhantomSettings, write_dataset

        self.root = root
        with tempfile.TemporaryDirectory() as folder:
            settings = PhantomSettings(patients=1, series=("sagittal-t2",), slices=SLICES)
            made = write_dataset(Path(folder) / "made", settings, progress=False)
            files = sorted(made.glob("phantom-*/sagittal-t2/*.dcm"))
            self._slices = [(file.read_bytes(), _identifiers(file)) for file in files]
            self._points = pd.read_csv(made / "landmarks.csv")[["level", "x", "y"]]
        self._rows: list[tuple] = []

    def grow(self, count: int) -> None:
        """Write files until there are `count`, and the tables for all of them."""
        for number in range(len(self._rows), count):
            series, place = divmod(number, SLICES)
            study = 10_000_000 + series
            file = self.root / rsna.PICTURES / str(study) / str(study + 1) / f"{place + 1}.dcm"
            file.parent.mkdir(parents=True, exist_ok=True)
            content, identifiers = self._slices[place]
            for each in identifiers:
                content = content.replace(each, each[:-10] + b"%010d" % number)
            file.write_bytes(content)
            point = self._points.iloc[number % len(LEVELS)]
            self._rows.append((study, study + 1, place + 1, "Spinal Canal Stenosis", point.level, point.x, point.y))
        columns = [*rsna.IDS, "condition", "level", "x", "y"]
        table = pd.DataFrame(self._rows, columns=columns)
        write_table(self.root / rsna.LABELS, table)
        series = table[["study_id", "series_id"]].drop_duplicates()
        write_table(self.root / rsna.SERIES, series.assign(series_description="Sagittal T2/STIR"))

    def some_files(self) -> list[Path]:
        """Return at most `LOOPED` files, evenly spread over the tree."""
        files = [self.root / rsna.PICTURES / f"{row[0]}/{row[1]}/{row[2]}.dcm" for row in self._rows]
        return files[:: max(1, len(files) // LOOPED)][:LOOPED]


def _identifiers(file: Path) -> list[bytes]:
    import pydicom

    dataset = pydicom.dcmread(file, stop_before_pixels=True)
    return [dataset[name].value.encode() for name in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")]


def plain(files: list[Path]) -> pd.DataFrame:
    """Measure the loop that one would write first: one process, one file after the other.

    Returns:
        DataFrame with rows headers and pictures, and columns rate (files per second) and processor (ms per file).
    """
    import pydicom
    from skimage.transform import resize

    def header(file: Path) -> tuple:
        dataset = pydicom.dcmread(file, stop_before_pixels=True)
        return dataset.Rows, dataset.Columns, list(dataset.PixelSpacing), list(dataset.ImageOrientationPatient)

    def picture(file: Path) -> np.ndarray:
        pixels = pydicom.dcmread(file).pixel_array.astype(np.float32)
        low, high = np.percentile(pixels, (0.5, 99.5))
        scaled = np.clip((pixels - low) / (high - low), 0, 1)
        return np.round(resize(scaled, (256, 256), anti_aliasing=True) * 255).astype(np.uint8)

    found = {}
    for what, work in (("headers", header), ("pictures", picture)):
        work(files[0])  # the first call includes imports
        begin = _clocks()
        for file in files:
            work(file)
        found[what] = _each(len(files), begin, _clocks())
    return pd.DataFrame.from_dict(found, orient="index")


def ours(root: Path) -> tuple[pd.DataFrame, list[float]]:
    """Measure this package in a process of its own, with empty caches.

    Returns:
        The same DataFrame as `plain`, and the peak memory of the process and of the largest of its workers, MB.
    """
    with tempfile.TemporaryDirectory(dir=root.parent) as home:
        command = [sys.executable, __file__, "--measure", str(root)]
        environment = os.environ | {"LUMBAR_HOME": home, "PYTHONPATH": str(paths.REPOSITORY)}
        answer = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    found = json.loads(answer.stdout)
    return pd.DataFrame.from_dict(found["speed"], orient="index"), found["memory"]


def measure(root: Path) -> None:
    """Load and prepare the tree, and print the measurements as JSON; `ours` runs this in a process of its own."""
    from lumbar import datasets
    from lumbar.datasets.preparation import prepare

    keep_freed_memory()  # as each command does
    begin = _clocks()
    dataset = datasets.load(root)
    loaded = _clocks()
    count = len(prepare(dataset, cache=paths.cache(), progress=False).images)
    speed = {"headers": _each(count, begin, loaded), "pictures": _each(count, loaded, _clocks())}
    memory = [resource.getrusage(who).ru_maxrss / 1024 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    print(json.dumps({"speed": speed, "memory": memory}))


def _clocks() -> tuple[float, float]:
    """Return seconds by the clock, and seconds of processor time of this process and its finished children."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return time.perf_counter(), sum(each.ru_utime + each.ru_stime for each in used)


def _each(count: int, begin: tuple[float, float], end: tuple[float, float]) -> dict[str, float]:
    return {"rate": count / (end[0] - begin[0]), "processor": 1000 * (end[1] - begin[1]) / count}


def compare(tree: Tree, count: int, repeats: int) -> dict[str, float]:
    """Return a row of the table: medians over the rounds, for `count` files."""
    tree.grow(count)
    row, rounds = {"files": count}, [(plain(tree.some_files()), *ours(tree.root)) for _ in range(repeats)]
    for what in ("headers", "pictures"):
        theirs, own = (pd.DataFrame([each[which].loc[what] for each in rounds]) for which in (0, 1))
        for name, measured in (("plain", theirs), ("our", own)):
            row[f"{name} {what}/s"] = measured["rate"].median()
            row[f"{name} {what}, processor ms"] = measured["processor"].median()
        times = (own["rate"].to_numpy() / theirs["rate"].to_numpy()).tolist()
        row[f"{what}: times plain"] = np.median(times)
        row[f"{what}: least and most"] = f"{min(times):.1f} {max(times):.1f}"
        row[f"{what}: times less processor"] = row[f"plain {what}, processor ms"] / row[f"our {what}, processor ms"]
    for place, name in enumerate(("memory, MB", "memory of a worker, MB")):
        row[name] = max(memory[place] for *_, memory in rounds)
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=20_000, help="number of files in the tree (default: 20000)")
    parser.add_argument("--repeats", type=int, default=3, help="number of rounds (default: 3)")
    parser.add_argument("--folder", type=Path, help="where to make the tree (default: the system's temporary folder)")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        measure(arguments.measure)
        return
    folder = Path(tempfile.mkdtemp(dir=arguments.folder))
    try:
        tree = Tree(folder / "rsna")
        begin, load = time.perf_counter(), os.getloadavg()[0]
        rows = [compare(tree, arguments.files // part, arguments.repeats) for part in (4, 2, 1)]
        table = pd.DataFrame(rows).round(2).assign(cores=os.cpu_count(), load=f"{load:.1f}", repeats=arguments.repeats)
        print(table.T.to_string(header=False))
        print(f"{time.perf_counter() - begin:.0f} s in total")
        write_table(Path(__file__).with_suffix(".csv"), table)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()

"""Whether two checkouts of the project compute the same, to the bit: ``python -m benchmarks.same BEFORE [AFTER]``.

A change that only moves and renames code must not change a single number. This script does the same small pieces of
work in the tree before and in the tree after the change, and compares what they leave behind:

- phantom: the bytes of the files of synthetic studies, written by one process and by two;
- prepare: the prepared images, their points and their matrices;
- train: the history, and each array in the checkpoints, after two epochs;
- predict: the tables of points from the released networks;
- check: what ``python -m lumbar check`` answers about each layout of data sets;
- turned: studies that are stored mirrored or upside down.

Each piece of work runs in a fresh process: its current folder and its PYTHONPATH are the tree, and LUMBAR_HOME is a
folder of the tree's own, so that neither tree sees the other's code, data, caches or runs. The data that both trees
read are made once, by the tree before. Two differences are wanted: `check` may say the same numbers in other words, and
the tree after may turn an image upright where the DICOM header says how it lies. The exit code is 0 if everything else
is identical.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pydicom
from PIL import Image

REPOSITORY = Path(__file__).resolve().parents[1]

THREADS = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
THREAD_COUNT = 2
"""Threads of each process: sums of floats depend on it in the last bit, so it is the same for both trees."""

SEEDS = (7, 11)
MODELS = ("baseline", "heatmap")
NETWORKS = ("phantom", "phantom+mr")
RESIZE = ("stretch", "letterbox")
VIEWS = ("sagittal", "coronal", "axial")

POINTS_TOLERANCE = 1e-9
"""Pixels: a point that was mirrored in the table and is mirrored back may differ from the original in the last bit."""

JPEG_QUALITY = 95
SHOWN = 12
"""Lines that are shown of a difference."""

NO_REAL = "no real images: give their folder with --real"

# -- what runs in the trees -------------------------------------------------------------------------------------------

ONLY_THE_TREE = """
import sys
# The finder of an editable install also answers for modules that a tree lacks, with those of another checkout.
sys.meta_path[:] = [each for each in sys.meta_path if "editable" not in getattr(each, "__module__", "")]
"""
"""A ``sitecustomize.py`` for each process that is started in a tree, and for the processes that it starts."""

PREPARE = """
import importlib.util, json, sys
import numpy as np
from lumbar import datasets
from lumbar.preprocess import PreprocessSettings

if importlib.util.find_spec("lumbar.datasets.preparation"):
    from lumbar.datasets.preparation import prepare
    setting = "resize"
else:
    from lumbar.preprocess import prepare
    setting = "fit"

for job in json.loads(sys.argv[1]):
    how = PreprocessSettings(**{setting: job["resize"]})
    options = {"views": tuple(job["views"]), "cache": None, "workers": 1, "progress": False}
    try:
        found = prepare(datasets.load(job["data"]), how, **options)
    except Exception as error:
        np.savez(job["out"], refused=f"{type(error).__name__}: {error}")
        continue
    index = {f"index {name}": found.index[name].astype(str).to_numpy(str) for name in found.index.columns}
    arrays = {"images": found.images, "points": found.points, "to_native": found.to_native}
    np.savez(job["out"], channels=np.array(found.channels), **arrays, **index)
"""
"""Prepares data sets; its argument is a list of jobs as JSON: data, resize, views, out."""

PREDICT = """
import json, sys
from pathlib import Path
from lumbar.prediction import PredictionSettings, predict

for job in json.loads(sys.argv[1]):
    found = predict([Path(path) for path in job["paths"]], PredictionSettings(weights=job["weights"]), progress=False)
    found.table.to_csv(job["out"], index=False)
"""
"""Finds points and writes them in full precision, which the command does not; jobs: paths, weights, out."""

LAYOUTS = """
import json, sys
from pathlib import Path
from lumbar.phantom.study import PhantomSettings, write_dataset
from tests import formats, layouts, volume_formats

folder, patients = Path(sys.argv[1]), int(sys.argv[2])
volume_formats.PATIENTS = patients
settings = PhantomSettings(patients=patients, series=("sagittal-t2",))
made, found = write_dataset(folder / "made", settings, progress=False), {}
for number, (reader, write) in enumerate(formats.FORMATS.items(), start=1):
    found[reader.layout] = folder / f"layout-{number}"
    write(made, found[reader.layout])
for write in (layouts.buu, layouts.coco, layouts.own_csv):
    found[f"{write.__name__}, random pixels"] = write(folder / write.__name__)
rsna = layouts.rsna(folder / "several" / "rsna-2024-lumbar-spine-degenerative-classification")
found["rsna, random pixels"] = rsna
found["rsna_improved, random pixels"] = layouts.rsna_improved(folder / "several" / "improved", rsna)
wrong = "scans/001.png,L1/L2,500,20\\nscans/001.png,L9,5,5\\nscans/absent.png,L1/L2,5,5\\n"
found["own_csv with mistakes"] = layouts.own_csv(folder / "mistakes", extra=wrong)
found["two data sets in one folder"] = layouts.rsna_improved(layouts.rsna(folder / "two"), folder / "two")
found["not a data set"] = folder / "none"
found["not a data set"].mkdir()
(found["not a data set"] / "letter.txt").write_text("not a table")
Path(sys.argv[3]).write_text(json.dumps({name: str(path) for name, path in found.items()}))
"""
"""Writes a small data set in each layout with the code of the tests; arguments: folder, patients, list to write."""


class Failure(Exception):
    """A tree could not do a piece of work; the text says why."""


@dataclass(frozen=True)
class Tree:
    """A checkout of the project.

    Args:
        name: "before" or "after".
        root: Its folder.
        home: Folder of its own for data, caches and runs.
        site: Folder that holds `ONLY_THE_TREE`.
    """

    name: str
    root: Path
    home: Path
    site: Path

    def command(self, *words: Any, codes: Sequence[int] = (0,)) -> subprocess.CompletedProcess:
        """Run ``python -m lumbar`` in the tree, in a fresh process; see `python`."""
        shown = " ".join(map(str, words))
        return self.python(shown if len(shown) < 90 else f"{shown[:88]} …", "-m", "lumbar", *words, codes=codes)

    def python(self, what: str, *words: Any, codes: Sequence[int] = (0,)) -> subprocess.CompletedProcess:
        """Run Python in the tree, in a fresh process.

        Args:
            what: The work, for the lines of progress.
            words: Arguments of Python.
            codes: Exit codes that are not a failure.

        Raises:
            Failure: If it ends with another exit code.
        """
        begin = time.perf_counter()
        answer = subprocess.run(
            [sys.executable, *map(str, words)],
            cwd=self.root,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
        )
        report(f"{self.name:6}  {what}  ({time.perf_counter() - begin:.1f} s)")
        if answer.returncode not in codes:
            last = [line for line in (answer.stdout + answer.stderr).splitlines() if line.strip()][-SHOWN:]
            raise Failure("\n".join([f"{self.name}: {what} ended with exit code {answer.returncode}:", *last]))
        return answer

    def _environment(self) -> dict[str, str]:
        own = ("LUMBAR_", "PYTHON", "MLFLOW_", "KERAS_")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(own)}
        kept |= dict.fromkeys(THREADS, str(THREAD_COUNT))
        kept |= {"LUMBAR_HOME": str(self.home), "PYTHONPATH": f"{self.root}{os.pathsep}{self.site}"}
        return kept | {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONUTF8": "1"}

    def check_import(self) -> None:
        """Make sure that the tree's own package is imported.

        Raises:
            Failure: If it is another one.
        """
        found = self.python("import lumbar", "-c", "import lumbar; print(lumbar.__file__)").stdout.strip()
        if not Path(found).resolve().is_relative_to(self.root):
            raise Failure(f"{self.name}: `import lumbar` in {self.root} gives {found}")


@dataclass(frozen=True)
class Finding:
    """One line of the table.

    Args:
        row: Name of the row.
        what: What was compared.
        verdict: "identical", or what else.
        good: Whether the exit code may be 0.
        details: Lines shown below the table.
    """

    row: str
    what: str
    verdict: str = "identical"
    good: bool = True
    details: tuple[str, ...] = ()

    @classmethod
    def of(cls, row: str, what: str, differences: Sequence[str]) -> Finding:
        """Identical if there are no differences."""
        if not differences:
            return cls(row, what)
        verdict = "DIFFERENT" if len(differences) == 1 else f"DIFFERENT in {len(differences)} places"
        return cls(row, what, verdict, False, tuple(differences))


_BEGIN = time.perf_counter()


def report(line: str) -> None:
    """Print a line of progress with the seconds since the start."""
    print(f"{time.perf_counter() - _BEGIN:6.0f} s  {line}", file=sys.stderr, flush=True)


# -- the data that both trees read ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Bench:
    """The two trees, and the data that both read: made when they are first needed, by the tree before.

    Args:
        before: The tree before the change.
        after: The tree after it.
        folder: Where the data are made.
        real: Folder of the real labelled images; None if there are none.
        quick: Whether to make less of everything.
    """

    before: Tree
    after: Tree
    folder: Path
    real: Path | None
    quick: bool

    @property
    def trees(self) -> tuple[Tree, Tree]:
        """Before and after."""
        return self.before, self.after

    def phantom(self, name: str, patients: int, seed: int) -> Path:
        """Return a folder of synthetic studies with all series."""
        out = self.folder / name
        if not out.is_dir():
            self.before.command("phantom", out, "--patients", patients, "--seed", seed)
        return out

    @cached_property
    def patients(self) -> Path:
        """Synthetic patients for the rows prepare and predict."""
        return self.phantom("patients", 4 if self.quick else 20, seed=5)

    @cached_property
    def upright(self) -> Path:
        """Four synthetic patients, stored as they are usually shown."""
        return self.phantom("upright", 4, seed=6)

    @cached_property
    def real_labels(self) -> pd.DataFrame:
        """The labels of the real images that take part."""
        labels = pd.read_csv(self.real / "labels.csv")
        chosen = labels["image_file"].drop_duplicates().head(12 if self.quick else None)
        return labels[labels["image_file"].isin(chosen)]

    @cached_property
    def real_images(self) -> list[Path]:
        """The real images in their native size."""
        return [self.real / "images_native" / name for name in self.real_labels["image_file"].unique()]

    @cached_property
    def real_kaggle(self) -> Path:
        """The real images in the layout of the public set: JPEG, 256×256."""
        out = self.folder / "kaggle"
        out.mkdir()
        shutil.copyfile(self.real / "coords_pretrain.csv", out / "coords_pretrain.csv")
        for row in self.real_labels.drop_duplicates("image_file").itertuples():
            target = out / "data" / f"processed_{row.source}_jpgs" / row.filename
            target.parent.mkdir(parents=True, exist_ok=True)
            Image.open(self.real / "images_256" / row.image_file).save(target, quality=JPEG_QUALITY)
        return out

    @cached_property
    def real_native(self) -> Path:
        """The real images in their native size, with a plain table of points."""
        out = self.folder / "native"
        out.mkdir()
        for image in self.real_images:
            shutil.copyfile(image, out / image.name)
        columns = {"image_file": "image", "level": "level", "native_x": "x", "native_y": "y"}
        self.real_labels[[*columns]].rename(columns=columns).to_csv(out / "points.csv", index=False)
        return out


# -- comparing --------------------------------------------------------------------------------------------------------


def difference(before: np.ndarray, after: np.ndarray) -> str:
    """Return "" if two arrays are the same to the bit, else how far apart they are."""
    if before.shape != after.shape or before.dtype.kind != after.dtype.kind:
        return f"{before.dtype} {before.shape} became {after.dtype} {after.shape}"
    if before.dtype.kind == "U":
        wrong = np.flatnonzero((before != after).ravel())
        example = f", first {str(before.flat[wrong[0]])!r} became {str(after.flat[wrong[0]])!r}" if len(wrong) else ""
        return f"{len(wrong)} of {before.size} texts differ{example}" if len(wrong) else ""
    if before.dtype != after.dtype:
        return f"{before.dtype} became {after.dtype}"
    if before.tobytes() == after.tobytes():
        return ""
    first, second = (np.ascontiguousarray(each).reshape(-1) for each in (before, after))
    wrong = (first.view(np.uint8) != second.view(np.uint8)).reshape(len(first), -1).any(axis=1)
    apart = np.abs(first.astype(float) - second.astype(float))[wrong]
    largest = f"by up to {np.nanmax(apart):.3g}" if np.isfinite(apart).any() else "in missing values"
    return f"{wrong.sum()} of {len(first)} values differ, {largest}"


def array_differences(before: dict[str, np.ndarray], after: dict[str, np.ndarray]) -> list[str]:
    """Compare arrays by name; what only the tree after has is not compared."""
    lost = [f"{name}: missing after" for name in before if name not in after]
    both = {name: difference(before[name], after[name]) for name in before if name in after}
    return lost + [f"{name}: {text}" for name, text in both.items() if text]


def table_differences(before: pd.DataFrame, after: pd.DataFrame) -> list[str]:
    """Compare two tables that were read as text: columns, texts, and numbers to the last digit."""
    if list(before.columns) != list(after.columns):
        return [f"columns {', '.join(before.columns)} became {', '.join(after.columns)}"]
    if len(before) != len(after):
        return [f"{len(before)} rows became {len(after)}"]
    found = []
    for name in before.columns:
        wrong = (before[name] != after[name]).to_numpy()
        if not wrong.any():
            continue
        text = f"column {name}: {wrong.sum()} of {len(before)} cells differ"
        first, second = (pd.to_numeric(each[name][wrong], errors="coerce") for each in (before, after))
        apart = (first - second).abs()
        example = f", first {before[name][wrong].iloc[0]!r} became {after[name][wrong].iloc[0]!r}"
        found.append(text + (f", by up to {apart.max():.3g}" if apart.notna().any() else example))
    return found


def read_text_table(file: Path) -> pd.DataFrame:
    """Read a CSV file, each cell as the text that it is."""
    return pd.read_csv(file, dtype=str, keep_default_na=False)


def file_digests(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each file below a folder, by its path."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def saved_arrays(file: Path) -> dict[str, np.ndarray]:
    """Return each array in a ``.keras`` file, weights and optimizer, by its path in the file."""
    found: dict[str, np.ndarray] = {}

    def take(path: str, node: h5py.Dataset | h5py.Group) -> None:
        if isinstance(node, h5py.Dataset):
            found[path] = np.asarray(node)

    with zipfile.ZipFile(file) as archive, h5py.File(io.BytesIO(archive.read("model.weights.h5"))) as weights:
        weights.visititems(take)
    return found


def renamed_as(before: dict[str, np.ndarray], after: dict[str, np.ndarray]) -> tuple[dict[str, np.ndarray], int]:
    """Give arrays the paths of their counterparts: the same path if there is one, else the same place in the order.

    Args:
        before: Path → array.
        after: Path → array.

    Returns:
        The arrays of `after` by the paths of `before`, and how many were matched by their order.
    """
    gone, new = (
        sorted((path for path in one if path not in other), key=_natural)
        for one, other in ((before, after), (after, before))
    )
    names = dict(zip(new, gone, strict=False))
    return {names.get(path, path): array for path, array in after.items()}, len(names)


def _natural(path: str) -> list[tuple[int, str]]:
    """A key that puts conv2d_2 before conv2d_10."""
    parts = re.split(r"(\d+)", path)
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts]


# -- the rows ---------------------------------------------------------------------------------------------------------


def phantom(bench: Bench) -> Iterator[Finding]:
    """Synthetic studies byte for byte, two seeds, written by one process and by two."""
    patients = 2 if bench.quick else 4
    for seed in SEEDS:
        found = {}
        for tree in bench.trees:
            for workers in (1, 2):
                out = tree.home / f"phantom-{seed}-{workers}"
                options = ("--patients", patients, "--seed", seed, "--workers", workers)
                tree.command("phantom", out, *options)
                found[f"{tree.name}, {workers} worker(s)"] = file_digests(out)
        first = next(iter(found.values()))
        wrong = [
            f"{name}: {file}: {'other bytes' if file in first and file in digests else 'not in all'}"
            for name, digests in found.items()
            for file in sorted(first.keys() | digests.keys())
            if first.get(file) != digests.get(file)
        ]
        yield Finding.of("phantom", f"seed {seed}: {len(first)} files, 1 and 2 workers", wrong)


def run_jobs(tree: Tree, what: str, program: str, ending: str, jobs: dict[str, dict[str, Any]]) -> dict[str, Path]:
    """Run a program on several jobs, in one process.

    Args:
        tree: Where.
        what: The work, for the lines of progress; no two calls with the same.
        program: Its argument is the list of the jobs as JSON.
        ending: Of the files that it writes.
        jobs: Name of each job → what the program needs to know, except for the file to write.

    Returns:
        Name of each job → the file that the program wrote.
    """
    files = {job: tree.home / f"{what} {job}.{ending}".replace(" ", "-") for job in jobs}
    listed = [jobs[job] | {"out": str(files[job])} for job in jobs]
    tree.python(f"{what}, {len(jobs)} jobs", "-c", program, json.dumps(listed))
    return files


def read_prepared(file: Path) -> dict[str, np.ndarray]:
    """Return what `PREPARE` left: arrays by name."""
    with np.load(file) as found:
        return dict(found)


def refusal(prepared: dict[str, np.ndarray]) -> str:
    """Return why a tree would not prepare a data set, "" if it did."""
    return str(prepared["refused"]).splitlines()[0] if "refused" in prepared else ""


def prepare(bench: Bench) -> Iterator[Finding]:
    """Prepared images, points, matrices and index, all views, both ways of resizing; synthetic and real."""
    sources = {"phantom": (bench.patients, VIEWS)}
    if bench.real:
        sources |= {"real 256": (bench.real_kaggle, VIEWS[:1]), "real native": (bench.real_native, VIEWS[:1])}
    else:
        yield Finding("prepare", "real images", f"skipped: {NO_REAL}")
    jobs = {
        f"{name} {resize}": {"data": str(data), "resize": resize, "views": views}
        for name, (data, views) in sources.items()
        for resize in RESIZE
    }
    files = [run_jobs(tree, "prepare", PREPARE, "npz", jobs) for tree in bench.trees]
    for job in jobs:
        before, after = (read_prepared(each[job]) for each in files)
        refused = [
            f"{tree.name}: {refusal(found)}"
            for tree, found in zip(bench.trees, (before, after), strict=True)
            if refusal(found)
        ]
        if refused:
            yield Finding.of("prepare", job, refused)
            continue
        columns = sum(name.startswith("index ") for name in before)
        counted = f"{len(before['images'])} images, points, to_native, channels, index of {columns} columns"
        yield Finding.of("prepare", f"{job}: {counted}", array_differences(before, after))


def train(bench: Bench) -> Iterator[Finding]:
    """History, split and every array in both checkpoints after two epochs."""
    patients, epochs = (12, 1) if bench.quick else (40, 2)
    for model in MODELS:
        name = f"same-{model}"
        for tree in bench.trees:
            options = ("--patients", patients, "--epochs", epochs, "--model", model, "--seed", 3, "--name", name)
            tree.command("train", *options)
        before, after = (tree.home / "runs" / name for tree in bench.trees)
        for file in ("history.csv", "split.csv"):
            first, second = (
                read_text_table(run / file).drop(columns="seconds", errors="ignore") for run in (before, after)
            )
            what = f"{model}: {file}, {len(first)} rows × {len(first.columns)} columns"
            yield Finding.of("train", what, table_differences(first, second))
        for file in ("best.keras", "last.keras"):
            yield checkpoint(model, before / file, after / file)


def checkpoint(model: str, before: Path, after: Path) -> Finding:
    """Compare the arrays of two ``.keras`` files."""
    first, second = saved_arrays(before), saved_arrays(after)
    second, by_order = renamed_as(first, second)
    wrong = array_differences(first, second)
    wrong += [f"{path}: not there before" for path in second if path not in first]
    matched = f" ({by_order} matched by order)" if by_order else ""
    values = sum(array.size for array in first.values())
    return Finding.of("train", f"{model}: {before.name}, {len(first)} arrays, {values} values{matched}", wrong)


def predict(bench: Bench) -> Iterator[Finding]:
    """Tables of points from both released networks, as the command writes them and in full precision."""
    sources = {"phantom": [bench.patients]}
    if bench.real:
        sources["real"] = bench.real_images
    else:
        yield Finding("predict", "real images", f"skipped: {NO_REAL}")
    jobs = {
        f"{name} images, network {weights}": {"paths": [str(path) for path in paths], "weights": weights}
        for weights in NETWORKS
        for name, paths in sources.items()
    }
    full = [run_jobs(tree, "predict in full", PREDICT, "csv", jobs) for tree in bench.trees]
    for number, (name, job) in enumerate(jobs.items()):
        codes, tables = [], []
        for tree in bench.trees:
            out = tree.home / f"points-{number}.csv"
            options = ("--weights", job["weights"], "--out", out)
            codes.append(tree.command("predict", *job["paths"], *options, codes=(0, 1)).returncode)
            if not out.is_file():
                raise Failure(f"{tree.name}: predict wrote no table for {name}")
            tables.append(read_text_table(out))
        wrong = [f"exit code {codes[0]} became {codes[1]}"] if codes[0] != codes[1] else []
        wrong += [f"as written, {text}" for text in table_differences(*tables)]
        exact = [read_text_table(each[name]) for each in full]
        wrong += [f"in full precision, {text}" for text in table_differences(*exact)]
        what = f"{name}: {len(tables[0])} points × {len(tables[0].columns)} columns, as written and in full"
        yield Finding.of("predict", what, wrong)


def check(bench: Bench) -> Iterator[Finding]:
    """What the command check answers about each layout: standard output, standard error and exit code."""
    folder = bench.folder / "layouts"
    names = bench.folder / "layouts.json"
    bench.before.python("write each layout", "-c", LAYOUTS, folder, 2 if bench.quick else 4, names)
    for name, path in json.loads(names.read_text()).items():
        answers = [tree.command("check", path, codes=(0, 1, 2)) for tree in bench.trees]
        texts = [
            neutral(answer.stdout, tree, path) + neutral(answer.stderr, tree, path)
            for tree, answer in zip(bench.trees, answers, strict=True)
        ]
        yield answers_compared(name, texts, [answer.returncode for answer in answers])


def neutral(text: str, tree: Tree, data: str) -> list[str]:
    """Return the lines of an answer without the paths of the tree and without progress bars."""
    for path, name in ((data, "DATA"), (str(tree.root), "TREE"), (str(tree.home), "HOME")):
        text = text.replace(path, name)
    lines = [line.rsplit("\r", 1)[-1].rstrip() for line in text.replace("\r\n", "\n").split("\n")]
    return [line for line in lines if line and not re.search(r"\d+%\|", line)]


def answers_compared(name: str, texts: Sequence[list[str]], codes: Sequence[int]) -> Finding:
    """Compare two answers: the same words, or at least the same numbers in the same order."""
    what = f"{name}: {len(texts[0])} lines, exit code {codes[0]}"
    if codes[0] != codes[1]:
        last = tuple(f"after: {line}" for line in texts[1][-SHOWN:])
        return Finding("check", what, f"DIFFERENT: exit code {codes[1]} after", False, last)
    if texts[0] == texts[1]:
        return Finding("check", what)
    changed = [[line for line in one if line not in other] for one, other in (texts, texts[::-1])]
    lines = [f"{tree}: {line}" for tree, each in zip(("before", "after"), changed, strict=True) for line in each]
    before, after = (re.findall(r"\d+(?:\.\d+)?", "\n".join(text)) for text in texts)
    if before == after:
        return Finding("check", what, f"wanted: same numbers, lines reworded: {len(changed[1])}", True, tuple(lines))
    return Finding("check", what, "DIFFERENT: other numbers", False, tuple(lines))


# -- studies that are stored mirrored or upside down ------------------------------------------------------------------

TURNS = {"as shown": (False, False), "mirrored": (True, False), "upside down": (False, True), "both": (True, True)}
"""Whether the columns, and whether the rows, are stored the other way round."""


def turned(bench: Bench) -> Iterator[Finding]:
    """Studies stored mirrored or upside down: turned upright in the tree after, and only there."""
    ways = list(TURNS.values())
    some = turned_copy(bench.upright, bench.folder / "turned-some", ways)
    whole = turned_copy(bench.upright, bench.folder / "turned-all", ways[-1:])
    sources = {"upright": bench.upright, "some patients": some, "all patients": whole}
    jobs = {
        f"{name} {resize}": {"data": str(data), "resize": resize, "views": VIEWS}
        for name, data in sources.items()
        for resize in RESIZE
    }
    files = [run_jobs(tree, "prepare turned", PREPARE, "npz", jobs) for tree in bench.trees]
    before, after = ({job: read_prepared(each[job]) for job in jobs} for each in files)
    for name in ("some patients", "all patients"):
        for resize in RESIZE:
            pair = [(found[f"upright {resize}"], found[f"{name} {resize}"]) for found in (before, after)]
            yield turned_since(f"{name} stored turned, {resize}", *pair)


def turned_since(what: str, before: tuple[dict, dict], after: tuple[dict, dict]) -> Finding:
    """Compare upright and turned studies in each tree.

    Args:
        what: What is compared.
        before: What the tree before prepared of the upright and of the turned studies.
        after: The same of the tree after.
    """
    then, now = upright_differences(*before), upright_differences(*after)
    what = f"{what}: {len(after[0].get('images', ()))} images and points against the upright ones"
    if now:
        return Finding("turned", what, "DIFFERENT: not turned upright", False, tuple(f"after: {text}" for text in now))
    if not then:
        return Finding("turned", what, "DIFFERENT: were turned upright before", False)
    return Finding("turned", what, "wanted: turned upright since", True, tuple(f"before: {text}" for text in then))


def upright_differences(upright: dict[str, np.ndarray], turned: dict[str, np.ndarray]) -> list[str]:
    """Return how turned studies differ from upright ones: images to the bit, points within `POINTS_TOLERANCE`."""
    refused = [text for each in (upright, turned) if (text := refusal(each))]
    if refused:
        return refused
    images, points = ((upright[name], turned[name]) for name in ("images", "points"))
    if images[0].shape != images[1].shape or points[0].shape != points[1].shape:
        return [f"{len(images[0])} images became {len(images[1])}"]
    found = []
    wrong = (images[0] != images[1]).any(axis=(1, 2))
    if wrong.any():
        apart = np.abs(images[0].astype(int) - images[1]).max()
        found.append(f"{wrong.sum()} of {len(wrong)} images differ, by up to {apart} grey levels")
    lost = np.isfinite(points[0]) & ~np.isfinite(points[1])
    if lost.any():
        found.append(f"the points of {lost.any(axis=(1, 2)).sum()} of {len(wrong)} images are missing")
    moved = np.abs(points[0] - points[1]) > POINTS_TOLERANCE
    if moved.any():
        found.append(f"the points of {moved.any(axis=(1, 2)).sum()} of {len(wrong)} images lie elsewhere")
    return found


def turned_copy(source: Path, target: Path, ways: Sequence[tuple[bool, bool]]) -> Path:
    """Write a copy of synthetic studies whose patients are stored turned, in one way after another.

    The pixels, the header's position and directions, and the table's points change together: each pixel and each point
    stays where it was in the patient.

    Args:
        source: Folder of the studies.
        target: Folder to write.
        ways: Whether to reverse the columns and the rows of the first patient, of the second, …; then from the first.

    Returns:
        `target`.
    """
    table = pd.read_csv(
        source / "landmarks.csv", dtype={"study": str}, keep_default_na=False, na_values={"x": [""], "y": [""]}
    )
    patients = list(table["patient"].unique())
    way_of = {patient: ways[number % len(ways)] for number, patient in enumerate(patients)}
    for image, rows in table.groupby("image"):
        columns, lines = way_of[rows["patient"].iloc[0]]
        (target / image).parent.mkdir(parents=True, exist_ok=True)
        turn_dicom(source / image, target / image, columns=columns, rows=lines)
        for axis, size, reverse in (("x", "width", columns), ("y", "height", lines)):
            if reverse:
                table.loc[rows.index, axis] = (rows[size] - 1 - rows[axis]).round(4)
    table.to_csv(target / "landmarks.csv", index=False)
    shutil.copyfile(source / "phantom.json", target / "phantom.json")
    return target


def turn_dicom(source: Path, target: Path, *, columns: bool, rows: bool) -> None:
    """Write a DICOM slice with its columns or its rows in the reverse order, in the same place in the patient."""
    dataset = pydicom.dcmread(source)
    pixels = dataset.pixel_array
    position = np.array(dataset.ImagePositionPatient, dtype=float)
    directions = np.array(dataset.ImageOrientationPatient, dtype=float).reshape(2, 3)
    # Pixel Spacing names the distance of the rows first.
    for axis, reverse, spacing in ((1, columns, dataset.PixelSpacing[1]), (0, rows, dataset.PixelSpacing[0])):
        if reverse:
            along = directions[1 - axis]
            position = position + (pixels.shape[axis] - 1) * float(spacing) * along
            directions[1 - axis] = -along
            pixels = np.flip(pixels, axis)
    dataset.ImagePositionPatient = [f"{value:.10g}" for value in position]
    dataset.ImageOrientationPatient = [f"{value:.10g}" for value in directions.ravel()]
    dataset.PixelData = np.ascontiguousarray(pixels).tobytes()
    dataset.save_as(target, enforce_file_format=True)


# -- the command ------------------------------------------------------------------------------------------------------

ROWS: dict[str, Callable[[Bench], Iterator[Finding]]] = {
    "phantom": phantom,
    "prepare": prepare,
    "train": train,
    "predict": predict,
    "check": check,
    "turned": turned,
}
"""Name of each row → what finds its lines."""


def compare(bench: Bench, rows: Sequence[str]) -> Iterator[Finding]:
    """Do the work of some rows in both trees; work that fails is a finding, and the other rows go on."""
    for row in rows:
        report(f"— {row}: {ROWS[row].__doc__.splitlines()[0]}")
        try:
            yield from ROWS[row](bench)
        except Exception as error:  # a file that a tree did not leave, an answer that cannot be read
            text = str(error) if isinstance(error, Failure) else f"{type(error).__name__}: {error}"
            yield Finding(row, "the rest of this row", "FAILED", False, tuple(text.splitlines()))


def as_text(findings: Sequence[Finding]) -> str:
    """Return the table, and below it the details of what is not identical."""
    widths = [max(len(getattr(each, name)) for each in findings) for name in ("row", "what")]
    lines = [f"{each.row:{widths[0]}}  {each.what:{widths[1]}}  {each.verdict}" for each in findings]
    for (row, verdict, details), compared in _alike(findings).items():
        lines += ["", f"{row}: {verdict}", *(f"  {what}" for what in compared)]
        lines += [f"      {line}" for line in details[:SHOWN]]
        lines += [f"      … and {len(details) - SHOWN} more"] if len(details) > SHOWN else []
    identical = sum(each.verdict == "identical" for each in findings)
    wanted = sum(each.verdict.startswith("wanted") for each in findings)
    skipped = sum(each.verdict.startswith("skipped") for each in findings)
    wrong = sum(not each.good for each in findings)
    counts = f"{identical} identical, {wanted} with a wanted difference, {skipped} skipped, {wrong} different or failed"
    return "\n".join([*lines, "", f"{len(findings)} comparisons: {counts}"])


def _alike(findings: Sequence[Finding]) -> dict[tuple[str, str, tuple[str, ...]], list[str]]:
    """Row, verdict and details → what was compared, so that a difference that occurs often is shown once."""
    found: dict[tuple[str, str, tuple[str, ...]], list[str]] = {}
    for each in findings:
        if each.details:
            found.setdefault((each.row, each.verdict, each.details), []).append(each.what)
    return found


def checkout(text: str) -> Path:
    """Return the folder of a checkout; a type for `argparse`."""
    root = Path(text).expanduser().resolve()
    if not (root / "lumbar" / "__init__.py").is_file():
        raise argparse.ArgumentTypeError(f"{text} is not a checkout of this project: it holds no lumbar/__init__.py")
    return root


def real_folder(text: str) -> Path:
    """Return the folder of the real images; a type for `argparse`."""
    folder = Path(text).expanduser().resolve()
    lacks = [
        name
        for name in ("labels.csv", "coords_pretrain.csv", "images_256", "images_native")
        if not (folder / name).exists()
    ]
    if lacks:
        raise argparse.ArgumentTypeError(f"{text} lacks {', '.join(lacks)}")
    return folder


def new_folder(text: str) -> Path:
    """Return a folder that is not there yet; a type for `argparse`."""
    folder = Path(text).expanduser().resolve()
    if folder.exists():
        raise argparse.ArgumentTypeError(f"{text} exists already")
    return folder


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.same",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Do the same work in two checkouts, and say whether they compute the same, to the bit.\n"
        "About a quarter of an hour on two idle cores.",
        epilog="rows:\n"
        + "\n".join(f"  {name:8} {row.__doc__.splitlines()[0]}" for name, row in ROWS.items())
        + "\n\nexit code: 0 if all is identical or differs only as is wanted (check: the same numbers in other words;"
        "\nturned: images that are turned upright since), 1 if not",
    )
    parser.add_argument("before", type=checkout, metavar="BEFORE", help="checkout before the change")
    parser.add_argument(
        "after",
        type=checkout,
        metavar="AFTER",
        nargs="?",
        default=REPOSITORY,
        help="checkout after it (default: this one)",
    )
    parser.add_argument(
        "--real",
        type=real_folder,
        metavar="FOLDER",
        help="real labelled images: labels.csv, coords_pretrain.csv, images_256/ and images_native/ "
        "(default: their comparisons are skipped)",
    )
    parser.add_argument("--only", nargs="+", choices=ROWS, metavar="NAME", default=list(ROWS), help="rows to compare")
    parser.add_argument("--quick", action="store_true", help="fewer patients, images and epochs")
    parser.add_argument(
        "--folder",
        type=new_folder,
        help="new folder for all that is made, kept afterwards (default: a temporary one, removed afterwards)",
    )
    return parser.parse_args()


def set_up(folder: Path, given: argparse.Namespace) -> Bench:
    """Make the folders, and make sure that each tree imports its own package.

    Raises:
        Failure: If one does not.
    """
    for name in ("before", "after", "data", "site"):
        (folder / name).mkdir(parents=True)
    (folder / "site" / "sitecustomize.py").write_text(ONLY_THE_TREE)
    trees = [Tree(name, getattr(given, name), folder / name, folder / "site") for name in ("before", "after")]
    for tree in trees:
        report(f"{tree.name:6}  {tree.root}")
        tree.check_import()
    return Bench(*trees, folder / "data", given.real, given.quick)


def main() -> int:
    """Compare two checkouts, print a table, and return the exit code."""
    given = arguments()
    folder = given.folder or Path(tempfile.mkdtemp(prefix="same-")).resolve()
    try:
        bench = set_up(folder, given)
        findings = list(compare(bench, [row for row in ROWS if row in given.only]))
    except Failure as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        if not given.folder:
            shutil.rmtree(folder, ignore_errors=True)
    print(as_text(findings))
    print(f"{time.perf_counter() - _BEGIN:.0f} s in all")
    return 0 if all(each.good for each in findings) else 1


if __name__ == "__main__":
    sys.exit(main())

"""Outputs that cannot be written: a full disk, a read-only folder, a limit for the size of files."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

from lumbar.core import paths
from lumbar.core.constants import LEVELS
from tests.stress.bad_input import NAMED, REFUSED, AbsentError, Answer, Case, Words
from tests.stress.bad_input.scans import predict
from tests.stress.bad_input.tables import changed
from tests.support.dicom_files import dicom
from tests.support.volume_files import write

_NETWORK = """
import numpy as np
from lumbar import inference
from tests.support.prepared import answered, in_turn
inference.answers = in_turn(lambda part: answered(np.full((len(part.images), len(part.channels), 2), 100.0)))
"""
"""Python code that replaces the network, since these cases only test where the points are written."""


def child(words: Words, folder: Path, *, before: str = "", around: Callable[[str], str] = str) -> Answer:
    """Run the command in a process of its own; `before` is Python code that runs first, `around` wraps the command."""
    code = f"{before}\n{_NETWORK}\nimport sys\nfrom lumbar.cli.main import main\nsys.exit(main(sys.argv[1:]))"
    command = shlex.join([sys.executable, "-W", "ignore", "-c", code, *map(str, words)])
    answer = subprocess.run(
        ["sh", "-c", around(f"exec {command}")],
        cwd=paths.REPOSITORY,
        env=os.environ | {"LUMBAR_HOME": str(folder / "home")},
        capture_output=True,
        text=True,
        timeout=1800,
    )
    return answer.returncode, answer.stdout + answer.stderr


def with_small_files(words: Words, folder: Path) -> Answer:
    """Run the command with a limit of two kilobytes per file; the system then reports an error as for a full disk."""
    limit = "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (2048, 2048))"
    return child(words, folder, before=limit)


def on_a_small_disk(kilobytes: int, options: str = "") -> Callable[[Words, Path], Answer]:
    """Run the command with `folder`/disk, and its home in it, on a small disk in memory that only the command sees."""

    def run(words: Words, folder: Path) -> Answer:
        disk = folder / "disk"
        disk.mkdir(exist_ok=True)
        (folder / "home").symlink_to(disk)
        if not shutil.which("unshare") or subprocess.run(["unshare", "-rm", "true"], capture_output=True).returncode:
            raise AbsentError("a separate disk cannot be made here (unshare -rm)")
        mount = f"mount -t tmpfs -o size={kilobytes}k{options} tmpfs {shlex.quote(str(disk))}"
        if subprocess.run(["unshare", "-rm", "sh", "-c", mount], capture_output=True).returncode:
            raise AbsentError("a separate disk cannot be mounted here")
        return child(
            words, folder, around=lambda command: f"exec unshare -rm sh -c {shlex.quote(f'{mount} && {command}')}"
        )

    return run


def many(folder: Path, out: Path) -> Words:
    """Predict enough images for a table of more than one page of memory, the smallest size of a disk in memory."""
    paths = [dicom(folder / f"{number}.dcm", SOPInstanceUID=f"1.2.{number}") for number in range(40)]
    assert len(paths) * len(LEVELS) * 30 > 4096
    words = list(predict(*paths, folder=folder))
    words[words.index("--out") + 1] = out
    return words


def into_the_system(folder: Path) -> Words:
    if not Path("/sys/kernel").is_dir():
        raise AbsentError("every folder here is writable")
    return ["predict", dicom(folder / "a.dcm"), "--out", "/sys/kernel/points.csv"]


def into_a_read_only_folder(folder: Path) -> Words:
    if os.geteuid() == 0:
        raise AbsentError("an administrator can write to every folder")
    closed = folder / "closed"
    closed.mkdir()
    closed.chmod(0o555)
    return ["predict", dicom(folder / "a.dcm"), "--out", closed / "points.csv"]


def volume(folder: Path) -> Path:
    voxels = np.random.default_rng(0).integers(0, 900, (7, 60, 50)).astype(np.int16)
    return write(folder / "t2.nii.gz", voxels, (0, 0, 0), [[4, 0, 0], [0, 0, -1], [0, 1, 0]])


def disc_labels(source: Callable[[Path], Path], *, made_by: str | None = None) -> Callable[[Path], Words]:
    """Predict, and write disc labels; `made_by` is the content of a JSON file that is there beside labels."""

    def build(folder: Path) -> Words:
        labels = folder / "labels"
        if made_by is not None:
            labels.mkdir()
            (labels / "t2_label-discs_dlabel.nii.gz").write_bytes(BY_HAND)
            (labels / "t2_label-discs_dlabel.json").write_text(made_by)
        return predict(source(folder), folder=folder, flags=["--disc-labels", labels])

    return build


def labels_by_hand_are_kept(folder: Path) -> None:
    assert (folder / "labels" / "t2_label-discs_dlabel.nii.gz").read_bytes() == BY_HAND


def left_nothing(folder: Path) -> None:
    assert not list(folder.rglob("*points.csv")), "no partial table is left"


def train(folder: Path) -> Words:
    return [*changed(verb="train")(folder), "--width", "4", "--depth", "3", "--name", "run"]


BY_HAND = b"what someone has marked by hand"
WRITTEN = "the result cannot be written"

CASES = [
    Case("output", "a folder without write permission", into_the_system, REFUSED, WRITTEN, 1, run=child),
    Case(
        "output",
        "a read-only folder",
        into_a_read_only_folder,
        REFUSED,
        f"{WRITTEN}(.|\n)*Permission denied",
        1,
        run=child,
    ),
    Case(
        "output",
        "a read-only disk",
        lambda folder: many(folder, folder / "disk" / "points.csv"),
        REFUSED,
        "Read-only file system",
        1,
        left_nothing,
        on_a_small_disk(999, ",ro"),
    ),
    Case(
        "output",
        "a folder in place of a file",
        lambda folder: many(folder, folder),
        REFUSED,
        "Is a directory",
        1,
        run=child,
    ),
    Case(
        "output",
        "a file in place of a folder",
        lambda folder: many(folder, folder / "0.dcm" / "points.csv"),
        REFUSED,
        WRITTEN,
        1,
        run=child,
    ),
    Case(
        "output",
        "a limit for the size of files",
        lambda folder: many(folder, folder / "points.csv"),
        REFUSED,
        "File too large",
        1,
        left_nothing,
        with_small_files,
    ),
    Case(
        "output",
        "a full disk: points",
        lambda folder: many(folder, folder / "disk" / "points.csv"),
        REFUSED,
        "No space left",
        1,
        left_nothing,
        on_a_small_disk(4),
    ),
    Case(
        "output",
        "disc labels of an image that is not a volume",
        disc_labels(lambda folder: dicom(folder / "a.dcm")),
        NAMED,
        "skipped: no disc labels: the image is not a volume(.|\n)*locate",
        1,
    ),
    Case(
        "output",
        "disc labels of two levels in one voxel",
        disc_labels(volume),
        NAMED,
        "skipped: no disc labels: two levels lie in the same voxel",
        1,
    ),
    *(
        Case(
            "output",
            f"disc labels in the place of labels by hand, whose JSON file {how}",
            disc_labels(volume, made_by=made_by),
            NAMED,
            "skipped: no disc labels: there are labels that this package has not written",
            1,
            labels_by_hand_are_kept,
        )
        for how, made_by in (
            ("says so", '{"GeneratedBy": [{"Name": "lumbar"}, {"Name": "Manual"}]}'),
            ("says otherwise", '{"GeneratedBy": [{"Name": "lumbar"}]}'),
            ("is damaged", "["),
        )
    ),
    Case(
        "output",
        "a full disk: prepared pictures",
        train,
        REFUSED,
        "No space left(.|\n)*is kept",
        1,
        run=on_a_small_disk(256),
    ),
    Case(
        "output",
        "a read-only disk: a run",
        train,
        REFUSED,
        "runs/run(.|\n)*Read-only file system(.|\n)*is kept",
        1,
        run=on_a_small_disk(999, ",ro"),
    ),
    Case(
        "output",
        "a full disk: a checkpoint",
        train,
        REFUSED,
        "best.keras(.|\n)*No space left(.|\n)*is kept",
        1,
        run=on_a_small_disk(700),
        real=True,
    ),
]

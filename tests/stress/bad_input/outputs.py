"""Places that cannot be written to: a full disk, a folder that is read-only, a limit for the size of files."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from lumbar.core import paths
from lumbar.core.constants import LEVELS
from tests.stress.bad_input import REFUSED, AbsentError, Answer, Case, Words
from tests.stress.bad_input.scans import predict
from tests.stress.bad_input.tables import changed
from tests.support.dicom_files import dicom

_NETWORK = """
import numpy as np
from lumbar import evaluation
def answer(network, part, progress):
    shape = len(part.images), len(part.channels)
    return np.full((*shape, 2), 100.0), np.full(shape, 0.9)
evaluation.predict_with_confidence = answer
"""
"""A child process in which the points cost nothing: what is asked here is where they are written."""


def child(words: Words, folder: Path, *, before: str = "", around: Callable[[str], str] = str) -> Answer:
    """The command in a process of its own; `before` is Python that runs first, `around` puts a command around it."""
    code = f"{before}\n{_NETWORK}\nimport sys\nfrom lumbar.cli.main import main\nsys.exit(main(sys.argv[1:]))"
    command = shlex.join([sys.executable, "-W", "ignore", "-c", code, *map(str, words)])
    answer = subprocess.run(
        ["sh", "-c", around(f"exec {command}")],
        cwd=paths.REPOSITORY,
        env=os.environ | {"LUMBAR_HOME": str(folder / "home")},
        capture_output=True,
        text=True,
        timeout=300,
    )
    return answer.returncode, answer.stdout + answer.stderr


def with_small_files(words: Words, folder: Path) -> Answer:
    """No file may grow beyond two kilobytes; the system then answers as a full disk does."""
    limit = "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (2048, 2048))"
    return child(words, folder, before=limit)


def on_a_small_disk(kilobytes: int, options: str = "") -> Callable[[Words, Path], Answer]:
    """`folder`/disk, and home in it, are a disk of their own in the memory, which only the command sees."""

    def run(words: Words, folder: Path) -> Answer:
        disk = folder / "disk"
        disk.mkdir(exist_ok=True)
        (folder / "home").symlink_to(disk)
        if not shutil.which("unshare") or subprocess.run(["unshare", "-rm", "true"], capture_output=True).returncode:
            raise AbsentError("a disk of its own cannot be made here (unshare -rm)")
        mount = f"mount -t tmpfs -o size={kilobytes}k{options} tmpfs {shlex.quote(str(disk))}"
        if subprocess.run(["unshare", "-rm", "sh", "-c", mount], capture_output=True).returncode:
            raise AbsentError("a disk of its own cannot be mounted here")
        return child(
            words, folder, around=lambda command: f"exec unshare -rm sh -c {shlex.quote(f'{mount} && {command}')}"
        )

    return run


def many(folder: Path, out: Path) -> Words:
    """Enough pictures for a table of more than a page of memory, the least that a disk in it can hold."""
    paths = [dicom(folder / f"{number}.dcm", SOPInstanceUID=f"1.2.{number}") for number in range(40)]
    assert len(paths) * len(LEVELS) * 30 > 4096
    words = list(predict(*paths, folder=folder))
    words[words.index("--out") + 1] = out
    return words


def into_the_system(folder: Path) -> Words:
    if not Path("/sys/kernel").is_dir():
        raise AbsentError("there is no folder here that nobody may write to")
    return ["predict", dicom(folder / "a.dcm"), "--out", "/sys/kernel/points.csv"]


def into_a_read_only_folder(folder: Path) -> Words:
    if os.geteuid() == 0:
        raise AbsentError("the administrator may write to every folder")
    closed = folder / "closed"
    closed.mkdir()
    closed.chmod(0o555)
    return ["predict", dicom(folder / "a.dcm"), "--out", closed / "points.csv"]


def left_nothing(folder: Path) -> None:
    assert not list(folder.rglob("*points.csv")), "no half a table"


def train(folder: Path) -> Words:
    return [*changed(verb="train")(folder), "--width", "4", "--depth", "3", "--name", "run"]


WRITTEN = "the result cannot be written"

CASES = [
    Case("output", "a folder nobody may write to", into_the_system, REFUSED, WRITTEN, 1, run=child),
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

"""Writes are atomic, one process at a time locks a folder, and the leftovers of killed processes are removed."""

import os
import signal
import subprocess
import sys

import pytest

from lumbar.core.errors import RunError
from lumbar.storage import files, locks

LOCK_AND_WRITE = """
import sys, time
from pathlib import Path
from lumbar.storage.files import atomic_write
from lumbar.storage.locks import exclusive_lock
with exclusive_lock(Path(sys.argv[1])), atomic_write(Path(sys.argv[1]) / "table.csv") as temporary:
    temporary.write_text("half a ta")
    print("at work", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def at_work(tmp_path):
    """A process that has locked tmp_path/run and written half of a file there."""
    process = subprocess.Popen(
        [sys.executable, "-c", LOCK_AND_WRITE, str(tmp_path / "run")], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "at work\n"
    yield process
    process.kill()
    process.communicate()


def test_a_second_process_is_refused_until_the_first_has_ended_in_any_way(at_work, tmp_path):
    folder = tmp_path / "run"
    with (
        pytest.raises(RunError, match=f"at work in this folder(.|\n)*process {at_work.pid}"),
        locks.exclusive_lock(folder),
    ):
        pytest.fail("two processes hold the lock")
    assert len(list(folder.iterdir())) == 2, "the lock and the half-written file of a process that is alive"
    at_work.send_signal(signal.SIGKILL)
    at_work.wait()
    assert [path.name for path in folder.iterdir() if path.name != locks.LOCK], "a killed process leaves half a file"
    with locks.exclusive_lock(folder):
        assert [path.name for path in folder.iterdir()] == [locks.LOCK]
        with pytest.raises(RunError, match="at work"), locks.exclusive_lock(folder):
            pytest.fail("one process holds the lock twice")
    assert folder.is_dir()
    assert not list(folder.iterdir())


def test_a_folder_that_stays_empty_is_removed(tmp_path):
    with pytest.raises(ValueError, match="failed early"), locks.exclusive_lock(tmp_path / "run"):
        raise ValueError("failed early")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("noted", [True, False], ids=["its parent took note of its end", "a zombie"])
def test_the_temporary_folder_of_a_dead_process_is_removed_and_that_of_a_living_one_is_kept(tmp_path, noted):
    dead = subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE)
    if noted:
        dead.wait()
    else:
        os.waitid(os.P_PID, dead.pid, os.WEXITED | os.WNOWAIT)
    with files.atomic_folder(tmp_path / "made") as temporary:
        of_dead, of_living, of_another = (
            tmp_path / temporary.name.replace(str(os.getpid()), str(pid)).replace("made", name)
            for pid, name in ((dead.pid, "made"), (os.getppid(), "made"), (dead.pid, "other"))
        )
    for left in (of_dead, of_living, of_another):
        left.mkdir()
        (left / "file").write_text("half")
    with files.atomic_folder(tmp_path / "made"):
        pass
    assert set(tmp_path.iterdir()) == {tmp_path / "made", of_living, of_another}
    dead.communicate()

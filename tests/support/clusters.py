"""A Dask cluster of real processes on this machine; the fixture `scheduler` starts it."""

import os
import subprocess
import sys
import time
from contextlib import contextmanager

from lumbar.core import paths

WITHOUT_US = """import sys

class Refuse:
    def find_spec(self, name, *_):
        if name.split(".")[0] == "lumbar":
            raise ModuleNotFoundError("No module named 'lumbar'", name="lumbar")

sys.meta_path.insert(0, Refuse())
"""
"""A sitecustomize.py with which a Python process has no package lumbar."""

FROM_ANYWHERE = os.environ | {"PYTHONPATH": str(paths.REPOSITORY)}


@contextmanager
def started(folder, *module_and_flags, environment=FROM_ANYWHERE):
    command = [sys.executable, "-m", *map(str, module_and_flags)]
    with (folder / "log.txt").open("a") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, env=environment)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@contextmanager
def worker(file, threads=1):
    flags = ("--nthreads", threads, "--no-nanny", "--no-dashboard", "--host", "127.0.0.1", "--scheduler-file", file)
    with started(file.parent, "distributed.cli.dask_worker", *flags) as process:
        yield process


def until(happens, seconds=600):
    """Wait until something happens; the limit only ends a test that hangs, since a busy machine may be very slow."""
    deadline = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


def count_workers(address):
    from distributed import Client

    with Client(address, set_as_default=False) as client:
        return len(client.nthreads())

"""A real Dask scheduler and two worker processes on this machine: what comes back is what one process makes alone."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

import lumbar
from lumbar import cluster, datasets, places, preprocess
from lumbar.cli import main
from lumbar.errors import ClusterError
from lumbar.parallel import in_parallel
from lumbar.preprocess import prepare
from tests import layouts
from tests.test_preprocess import spots

pytest.importorskip("distributed")

FROM_ANYWHERE = os.environ | {"PYTHONPATH": str(places.REPOSITORY)}


@contextmanager
def started(folder, *module_and_flags):
    command = [sys.executable, "-m", *map(str, module_and_flags)]
    with (folder / "log.txt").open("a") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, env=FROM_ANYWHERE)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def scheduler(tmp_path):
    """A scheduler's address and file; workers are still to come."""
    (tmp_path / "cluster").mkdir()
    file = tmp_path / "cluster" / "scheduler.json"
    flags = ("--host", "127.0.0.1", "--port", 0, "--no-dashboard", "--no-show", "--scheduler-file", file)
    with started(tmp_path / "cluster", "distributed.cli.dask_scheduler", *flags) as process:
        until(file.exists)
        until(lambda: file.read_text().endswith("}"))
        yield json.loads(file.read_text())["address"], file, process


@contextmanager
def worker(file):
    flags = ("--nthreads", 1, "--no-nanny", "--no-dashboard", "--host", "127.0.0.1", "--scheduler-file", file)
    with started(file.parent, "distributed.cli.dask_worker", *flags) as process:
        yield process


def until(happens, seconds=60):
    deadline = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


def count_workers(address):
    from distributed import Client

    with Client(address, set_as_default=False) as client:
        return len(client.nthreads())


@pytest.mark.slow
def test_a_worker_killed_half_way_loses_nothing(tmp_path, scheduler, monkeypatch, capsys):
    address, file, _ = scheduler
    (tmp_path / "pictures").mkdir()
    dataset = spots(tmp_path / "pictures", count=120, width=1000, height=1000)
    alone = prepare(dataset, progress=False)
    with worker(file) as first, worker(file) as second:
        until(lambda: count_workers(address) == 2)
        monkeypatch.setattr(preprocess, "CHUNK", 3)
        monkeypatch.setattr(preprocess, "NOTED_EVERY", 5)
        at_the_kill = []

        def finished():
            return sum(np.load(note).sum() for note in (tmp_path / "cache").glob("[!.]*/done.npy"))

        def kill():
            until(lambda: finished() >= 20)
            os.kill(first.pid, signal.SIGKILL)
            at_the_kill.append(finished())

        killer = threading.Thread(target=kill)
        killer.start()
        with cluster.at(address, dataset.root):
            shared = prepare(dataset, cache=tmp_path / "cache", progress=False)
        killer.join()
        assert first.wait() == -signal.SIGKILL
        assert 20 <= at_the_kill[0] < 100, "it was killed half-way"
        assert finished() == 120
        np.testing.assert_array_equal(shared.images, alone.images)
        assert count_workers(address) == 1

        the_command_says_what_is_ready(tmp_path, address, monkeypatch, capsys)
        workers_that_cannot_do_the_work_are_refused(tmp_path, address, monkeypatch)

        second.kill()
        second.wait()
        until(lambda: count_workers(address) == 0)
        with pytest.raises(ClusterError, match="no workers"), cluster.at(address, dataset.root):
            pass
    a_scheduler_that_goes_is_said(tmp_path, scheduler, monkeypatch)


def the_command_says_what_is_ready(tmp_path, address, monkeypatch, capsys):
    monkeypatch.setenv("LUMBAR_HOME", str(tmp_path / "home"))
    folder = layouts.rsna(tmp_path / "rsna")
    assert main(["prepare", str(folder), "--scheduler", address, "--views", "axial"]) == 0
    assert f"10 pictures of 2 patients are ready for training\nNext: python train.py --data {folder} --views axial" in (
        capsys.readouterr().out
    )
    with monkeypatch.context() as patch:
        patch.setattr(preprocess, "_prepared", lambda *_, **__: pytest.fail("a picture was prepared again"))
        prepare(datasets.load(folder), views=("axial",), cache=places.cache(), progress=False)


def workers_that_cannot_do_the_work_are_refused(tmp_path, address, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(lumbar, "__version__", "0.0.0")
        with pytest.raises(ClusterError, match="another version"), cluster.at(address, tmp_path):
            pass
    with monkeypatch.context() as patch:
        patch.chdir(tmp_path)  # the worker stands elsewhere
        with pytest.raises(ClusterError, match="does not see the data folder"), cluster.at(address, Path("pictures")):
            pass


def a_scheduler_that_goes_is_said(tmp_path, scheduler, monkeypatch):
    address, file, process = scheduler
    monkeypatch.setattr(cluster, "SECONDS", 1)
    with worker(file):
        until(lambda: count_workers(address) == 1)
        with cluster.at(address, tmp_path):
            results = in_parallel(time.sleep, [0, 60])
            assert next(results) is None
            process.kill()
            with pytest.raises(ClusterError, match="is lost"):
                next(results)


@pytest.mark.parametrize("address", ["nonsense", "foo://somewhere:1", "tcp://127.0.0.1:9"])
def test_a_wrong_address_is_said_at_once(tmp_path, address, monkeypatch):
    monkeypatch.setattr(cluster, "SECONDS", 1)
    begin = time.monotonic()
    with pytest.raises(ClusterError) as refusal, cluster.at(address, tmp_path):
        pass
    assert time.monotonic() - begin < 10
    assert address in str(refusal.value)


def test_without_the_package_it_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ClusterError, match="pip install distributed"), cluster.at("tcp://127.0.0.1:9", tmp_path):
        pass

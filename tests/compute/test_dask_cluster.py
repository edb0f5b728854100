"""A real Dask scheduler with two worker processes on this machine gives the results of a single process."""

import json
import os
import signal
import socket
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from lumbar import datasets
from lumbar.cli.main import main
from lumbar.compute import dask_cluster
from lumbar.compute.processes import in_parallel
from lumbar.core import paths
from lumbar.core.errors import ClusterError, SettingsError
from lumbar.datasets import preparation
from lumbar.datasets.preparation import prepare
from tests.datasets.test_preparation import spots
from tests.support import layouts
from tests.support.clusters import WITHOUT_US, count_workers, started, until, worker

pytest.importorskip("distributed")


@pytest.mark.slow
def test_a_worker_that_is_killed_loses_no_work(tmp_path, scheduler, monkeypatch, capsys):
    address, file, _ = scheduler
    (tmp_path / "images").mkdir()
    dataset = spots(tmp_path / "images", count=120, width=1000, height=1000)
    alone = prepare(dataset, progress=False)
    with worker(file) as first, worker(file) as second:
        until(lambda: count_workers(address) == 2)
        monkeypatch.setattr(preparation, "CHUNK", 3)
        monkeypatch.setattr(preparation, "NOTED_EVERY", 5)

        def finished():
            return sum(np.load(note).sum() for note in (tmp_path / "cache").glob("[!.]*/done.npy"))

        def killed_after_20(*given, **named):
            for number, result in enumerate(in_parallel(*given, **named)):
                if number == 20:
                    os.kill(first.pid, signal.SIGKILL)
                    assert finished() == 20, "it was killed before the end"
                yield result

        with monkeypatch.context() as patch, dask_cluster.use_cluster(address, dataset.root):
            patch.setattr(preparation, "in_parallel", killed_after_20)
            shared = prepare(dataset, cache=tmp_path / "cache", progress=False)
        assert first.wait() == -signal.SIGKILL
        assert finished() == 120
        np.testing.assert_array_equal(shared.images, alone.images)
        assert count_workers(address) == 1

        the_command_reports_what_is_ready(tmp_path, address, monkeypatch, capsys)
        workers_that_cannot_do_the_work_are_refused(tmp_path, address, monkeypatch)

        second.kill()
        second.wait()
        until(lambda: count_workers(address) == 0)
        with pytest.raises(ClusterError, match="no workers"), dask_cluster.use_cluster(address, dataset.root):
            pass
    a_scheduler_that_ends_is_an_error(tmp_path, scheduler, monkeypatch)


def the_command_reports_what_is_ready(tmp_path, address, monkeypatch, capsys):
    monkeypatch.setenv("LUMBAR_HOME", str(tmp_path / "home"))
    folder = layouts.rsna(tmp_path / "rsna")
    assert main(["prepare", str(folder), "--scheduler", address, "--views", "axial"]) == 0
    printed = capsys.readouterr().out
    assert "10 pictures of 2 patients are ready for training\n" in printed
    assert f"Next: python -m lumbar train --data {folder} --views axial" in printed
    with monkeypatch.context() as patch:
        patch.setattr(preparation, "_prepared", lambda *_, **__: pytest.fail("an image was prepared again"))
        prepare(datasets.load(folder), views=("axial",), cache=paths.cache(), progress=False)


def workers_that_cannot_do_the_work_are_refused(tmp_path, address, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(dask_cluster, "VERSION", "0.0.0")
        with pytest.raises(ClusterError, match="another version"), dask_cluster.use_cluster(address, tmp_path):
            pass
    with monkeypatch.context() as patch:
        patch.chdir(tmp_path)  # the worker has another current folder
        with (
            pytest.raises(ClusterError, match="does not see the folder"),
            dask_cluster.use_cluster(address, Path("images")),
        ):
            pass


def a_scheduler_that_ends_is_an_error(tmp_path, scheduler, monkeypatch):
    address, file, process = scheduler
    with worker(file):
        until(lambda: count_workers(address) == 1)
        with dask_cluster.use_cluster(address, tmp_path):
            monkeypatch.setattr(dask_cluster, "SECONDS", 1)  # from now on: a busy scheduler may need longer to answer
            results = in_parallel(time.sleep, [0, 3600])
            assert next(results) is None
            process.kill()
            with pytest.raises(ClusterError, match="is lost"):
                next(results)


def test_a_scheduler_without_this_package_is_an_error(tmp_path):
    """A scheduler unpacks the work that it hands on to the workers."""
    (tmp_path / "sitecustomize.py").write_text(WITHOUT_US)
    file = tmp_path / "scheduler.json"
    flags = ("--host", "127.0.0.1", "--port", 0, "--no-dashboard", "--no-show", "--scheduler-file", file)
    bare = os.environ | {"PYTHONPATH": str(tmp_path)}
    with started(tmp_path, "distributed.cli.dask_scheduler", *flags, environment=bare):
        until(lambda: file.exists() and file.read_text().endswith("}"))
        address = json.loads(file.read_text())["address"]
        with pytest.raises(ClusterError, match="where the scheduler runs"), dask_cluster.use_cluster(address, tmp_path):
            pass


@pytest.mark.parametrize("address", ["nonsense", "foo://somewhere:1", "tcp://127.0.0.1:{port}"])
def test_a_wrong_address_is_an_error(tmp_path, address, monkeypatch):
    monkeypatch.setattr(dask_cluster, "SECONDS", 1)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))  # nobody else can listen at this port
        address = address.format(port=silent.getsockname()[1])
        with pytest.raises(ClusterError) as refusal, dask_cluster.use_cluster(address, tmp_path):
            pass
    assert address in str(refusal.value)


def test_a_missing_package_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with (
        pytest.raises(SettingsError, match="extra dask"),
        dask_cluster.use_cluster("tcp://127.0.0.1:9", tmp_path),
    ):
        pass

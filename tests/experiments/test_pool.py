"""A search by several processes: the addresses it accepts, and how it survives the death of a worker."""

import socket

import pytest

from lumbar.core.errors import RunError, SettingsError
from lumbar.experiments.tuning import pool
from lumbar.experiments.tuning.pool import WorkerSettings
from lumbar.phantom import PhantomSettings, write_dataset
from tests.stress import search_kills


@pytest.mark.parametrize("address", ["9000", "host", "host:", ":9000", "host:port", "host:99999"])
def test_what_is_not_an_address_is_refused(tmp_path, address):
    with pytest.raises(SettingsError, match="not an address"):
        pool.search(tmp_path, 1, WorkerSettings(chief=address))


def test_a_port_that_another_search_listens_at_is_refused(tmp_path):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(SettingsError, match="cannot listen"):
            pool.search(tmp_path, 1, WorkerSettings(chief=f"127.0.0.1:{other.getsockname()[1]}"))


def test_a_search_that_is_not_in_the_runs_folder_cannot_be_joined(tmp_path):
    with pytest.raises(RunError, match="not in the runs folder"):
        pool.join(tmp_path / "search", WorkerSettings(join="127.0.0.1:9000"))


@pytest.mark.slow
def test_two_workers_of_whom_one_is_killed_make_the_search_of_one_process(tmp_path):
    settings = PhantomSettings(patients=10, seed=3, series=("sagittal-t2",))
    data = write_dataset(tmp_path / "patients", settings, progress=False)
    search_kills.finish(search_kills.command(data, "whole"), tmp_path)
    killed = tmp_path / "runs" / "killed"
    search_kills.kill_one(search_kills.command(data, "killed", "--workers", "2"), tmp_path, killed, "worker")
    assert search_kills.ending(killed) == search_kills.ending(tmp_path / "runs" / "whole")
    logs = [path.name for path in (killed / "workers").iterdir()]
    assert len(logs) == 3, "a chief and two workers"

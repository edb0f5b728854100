"""Fixtures that several rooms' tests share."""

import json
import os
import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from lumbar.core import paths
from lumbar.phantom import PhantomSettings, write_dataset
from tests.support.clusters import started, until

# The same examples in each run, however slow the machine is: no test fails by chance. tests.stress.orders looks for
# further ones.
patient = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("reproducible", derandomize=True, **patient)
settings.register_profile("searching", database=None, **patient)
settings.load_profile("reproducible")

SEED = "LUMBAR_TEST_SEED"
"""Environment variable with the seed of Python's random numbers; 0 without it."""


def pytest_runtest_setup() -> None:
    """Seed Python's random numbers, from which Keras takes the seeds of weights and dropout, whatever ran before."""
    random.seed(int(os.environ.get(SEED, "0")))


@pytest.fixture(scope="module")
def few_patients(tmp_path_factory) -> Path:
    """Sixteen synthetic patients, one sagittal picture each, in a home of their own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LUMBAR_HOME", str(tmp_path_factory.mktemp("home")))
        settings = PhantomSettings(patients=16, seed=1, series=("sagittal-t2",))
        yield write_dataset(paths.data() / "few", settings, workers=1, progress=False)


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

"""Training on several devices: each image counts once, uneven shares are refused, and the losses are the same."""

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lumbar.augment import AugmentSettings
from lumbar.batches import Batches, CorrectMeanLosses
from lumbar.compute import devices
from lumbar.compute.devices import ADDRESSES, PROCESS, PROCESSES, BatchShard
from lumbar.core.errors import SettingsError
from lumbar.runs.folder import read_history
from lumbar.runs.settings import TrainingSettings
from lumbar.training.job import train
from lumbar.weights import safe_loading
from tests.stress import devices as commands
from tests.support.prepared import spots


@given(count=st.integers(1, 40), processes=st.integers(1, 4), each=st.integers(1, 3))
def test_each_image_of_a_batch_is_fed_exactly_once_that_is_not_a_copy(count, processes, each):
    positions = 100 + np.arange(count)
    parts = [BatchShard(processes * each, processes, process).select(positions) for process in range(processes)]
    assert len({len(fed) for fed, _ in parts}) == 1, "all processes feed equally many rows"
    assert len(parts[0][0]) % each == 0, "and so do all devices"
    fed, copies = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    assert sorted(fed[~copies]) == list(positions)
    times = np.unique(fed, return_counts=True)[1]
    assert len(set(times)) == 1, (
        "the batch is repeated as a whole, otherwise batch normalisation would see another mean"
    )


def test_two_processes_together_feed_what_one_feeds_alone():
    prepared, how = spots(10), {"seed": 5, "shuffle": True, "augment": AugmentSettings()}
    images, points = Batches(prepared, 4, **how)[1]
    halves = [Batches(prepared, 4, shard=BatchShard(2, 2, process), **how)[1] for process in range(2)]
    np.testing.assert_array_equal(np.concatenate([half[0] for half in halves]), images)
    np.testing.assert_array_equal(np.concatenate([half[1] for half in halves]), points)


def test_a_repeated_last_batch_counts_as_often_as_it_has_images():
    training, validation = Batches(spots(7), 4, shard=BatchShard(2)), Batches(spots(8), 4, shard=BatchShard(2))
    correction = CorrectMeanLosses(training, validation)
    logs = {"loss": 1.0}
    correction.on_train_batch_end(0, logs)  # four images of loss 1, then three of loss 8, which Keras counts as six
    logs = {"loss": (4 * 1.0 + 6 * 8.0) / 10, "val_loss": 5.0}
    correction.on_epoch_end(0, logs)
    assert logs == {"loss": pytest.approx((4 * 1.0 + 3 * 8.0) / 7), "val_loss": 5.0}


def test_several_devices_need_the_jax_backend(few_patients):
    with pytest.raises(SettingsError, match="KERAS_BACKEND=jax"):
        train(TrainingSettings(data=few_patients, devices=2), progress=False)


@pytest.mark.parametrize("number", [None, "first"])
def test_an_incomplete_description_of_a_job_is_refused(monkeypatch, number):
    monkeypatch.setenv(ADDRESSES, "127.0.0.1:9000")
    monkeypatch.setenv(PROCESSES, "2")
    monkeypatch.setenv(PROCESS, number) if number else monkeypatch.delenv(PROCESS, raising=False)
    with pytest.raises(SettingsError, match=PROCESS):
        devices.writes()


SMALL = ("--batch-size", 4, "--width", 2, "--depth", 3, "--no-tensorboard")


@pytest.mark.slow
def test_one_device_two_devices_and_a_job_that_lost_a_process_have_the_same_losses(tmp_path, few_patients):
    flags, runs = ("--data", few_patients, "--epochs", 12, *SMALL), tmp_path / "runs"
    commands.finish(commands.one_device(tmp_path, "one", *flags))
    commands.finish(commands.two_devices(tmp_path, "two", *flags))
    first, second = commands.two_processes(tmp_path, "job", *flags)
    deadline = time.monotonic() + 600
    while first.poll() is None and len(read_history(runs / "job")) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    second.kill()
    assert "another process of this job has ended" in first.communicate(timeout=600)[1]
    second.communicate()
    assert 2 <= len(read_history(runs / "job")) < 12, "it was killed during the training"
    commands.finish(commands.two_processes(tmp_path, "job", *flags))
    one, *others = (read_history(runs / name) for name in ("one", "two", "job"))
    for history in others:
        assert len(history) == 12
        assert commands.difference(history, one) <= commands.TOLERANCE
    images = np.random.default_rng(0).random((2, 256, 256, 1), np.float32)
    alone, *shared = (safe_loading.load(runs / name / "best.keras")(images) for name in ("one", "two", "job"))
    for answer in shared:  # here, by TensorFlow on one device
        np.testing.assert_allclose(answer, alone, atol=1e-4)


@pytest.mark.slow
def test_a_batch_that_devices_cannot_share_evenly_is_refused_before_data_are_read(tmp_path):
    [process] = commands.two_devices(tmp_path, "odd", "--data", tmp_path / "nowhere", "--batch-size", 5)
    assert "a multiple of 2, such as 6" in process.communicate(timeout=600)[1]

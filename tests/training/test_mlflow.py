"""MLflow gets every value of a run, once, however often the training or MLflow itself was stopped."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from lumbar.core import paths
from lumbar.core.errors import OutputError, SettingsError
from lumbar.runs.folder import load_config, read_history
from lumbar.runs.settings import TrainingSettings
from lumbar.training import mlflow
from lumbar.training.checkpoints import RunKeeper
from lumbar.training.job import train


@pytest.fixture
def settings(few_patients, tmp_path, monkeypatch) -> TrainingSettings:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", (tmp_path / "mlflow").as_uri())
    small = {"epochs": 3, "batch_size": 4, "width": 2, "depth": 3, "tensorboard": False}
    return TrainingSettings(data=few_patients, name=f"recorded-{tmp_path.name}", mlflow=True, **small)


def stop_before(monkeypatch, owner: type, method: str, call: int, error: BaseException) -> None:
    """Make one call of a method fail; calls are numbered from 1."""
    real, calls = getattr(owner, method), []

    def failing(*arguments, **named):
        calls.append(method)
        if len(calls) == call:
            raise error
        return real(*arguments, **named)

    monkeypatch.setattr(owner, method, failing)


def recorded_runs() -> list:
    """Return all runs that MLflow keeps."""
    client = MlflowClient(mlflow.address())
    return client.search_runs([client.get_experiment_by_name(mlflow.EXPERIMENT).experiment_id])


def assert_all_recorded(run: Path) -> None:
    [known] = recorded_runs()
    client, history = MlflowClient(mlflow.address()), read_history(run)
    assert known.info.status == "FINISHED"
    assert set(known.data.metrics) == set(history.columns) - {"epoch"}
    for name in known.data.metrics:
        values = [(each.step, each.value) for each in client.get_metric_history(known.info.run_id, name)]
        assert values == list(zip(history["epoch"], history[name], strict=True)), name
    resolved = load_config(run)["resolved"]
    assert known.data.params == {name: str(value) for name, value in resolved.items()}


def test_a_run_is_recorded_with_its_settings_and_that_its_patients_are_synthetic(settings):
    run = train(settings, progress=False)
    assert_all_recorded(run)
    [known] = recorded_runs()
    assert known.info.run_name == run.name
    assert known.data.tags["synthetic"] == "True"
    assert "synthetic patients only" in known.data.tags["mlflow.note.content"]
    assert known.data.tags["data"] == load_config(run)["data"]["fingerprint"]


@pytest.mark.parametrize(
    ("owner", "method", "call"),
    [
        pytest.param(RunKeeper, "on_epoch_begin", 3, id="between two epochs"),
        pytest.param(MlflowClient, "log_batch", 2, id="after an epoch that MLflow does not have yet"),
        pytest.param(MlflowClient, "log_param", 5, id="between two settings"),
    ],
)
def test_a_resumed_run_is_one_run_without_gaps_or_duplicates(settings, monkeypatch, owner, method, call):
    with monkeypatch.context() as patch:
        stop_before(patch, owner, method, call, KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt):
            train(settings, progress=False)
    assert_all_recorded(train(settings, progress=False))


def test_while_mlflow_fails_a_note_is_printed_and_no_epoch_is_lost(settings, monkeypatch, capsys):
    stop_before(monkeypatch, MlflowClient, "log_batch", 1, MlflowException("the server rests"))
    run = train(settings, progress=False)
    assert "MLflow did not record epoch 1: the server rests" in capsys.readouterr().err
    assert_all_recorded(run)


def test_a_run_whose_mlflow_run_was_removed_is_recorded_again(settings):
    run = train(replace(settings, epochs=1), progress=False)
    [known] = recorded_runs()
    MlflowClient(mlflow.address()).delete_run(known.info.run_id)
    (run / "learning_curves.png").unlink()  # the run is unfinished, but all its epochs are finished
    train(replace(settings, epochs=1), progress=False)
    assert_all_recorded(run)
    assert recorded_runs()[0].info.run_id != known.info.run_id


def test_mlflow_that_cannot_be_reached_stops_the_training_at_its_start(settings, monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", (tmp_path / "file" / "mlflow").as_uri())
    with pytest.raises(OutputError, match="MLFLOW_TRACKING_URI"):
        train(settings, progress=False)
    assert read_history(paths.runs() / settings.name).empty


def test_without_mlflow_the_error_says_what_to_install(settings, monkeypatch):
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(SettingsError, match="extra mlflow"):
        train(settings, progress=False)

"""A run's settings and history for MLflow, without gaps or doublets however often the training was stopped.

MLflow chooses the run to keep by what it is told of, so it is told of validation only: the test patients are for
`lumbar.evaluation`, once.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from lumbar.core import paths
from lumbar.core.backend import keras
from lumbar.core.errors import OutputError
from lumbar.storage.files import write_json

EXPERIMENT = "lumbar"
"""Name of the experiment in which runs stand, unless MLFLOW_EXPERIMENT_NAME says another."""

NOTE = "mlflow.json"
"""The file in a run's folder that says where MLflow keeps it, and under which id."""


def address() -> str:
    """Where MLflow keeps runs: what MLFLOW_TRACKING_URI says, else files below ``runs/mlflow``."""
    return os.environ.get("MLFLOW_TRACKING_URI") or (paths.runs() / "mlflow").absolute().as_uri()


class MlflowLog(keras.callbacks.Callback):
    """Tells MLflow of the settings and of each epoch, under the names that they have in config.json and history.csv.

    A training that goes on adds to the same MLflow run what is not there yet. MLflow that fails at the start stops the
    training before it has cost anything; later it costs a note, and the next epoch tells what was missed.

    Args:
        run: The run's folder; its config.json is there when the training begins.
        history: Gives the rows of the finished epochs, see `lumbar.runs.folder.read_history`.
    """

    def __init__(self, run: Path, history: Callable[[], pd.DataFrame]):
        super().__init__()
        self.run, self.history = run, history
        self.told: set[tuple[str, int]] = set()

    def on_train_begin(self, logs=None) -> None:
        """Find or begin MLflow's run, and tell it of the epochs that are finished.

        Raises:
            OutputError: If MLflow does not take it.
        """
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")  # no longer developed, but needs no database
        from mlflow import MlflowClient

        config = json.loads((self.run / "config.json").read_text(encoding="utf-8"))
        try:
            self.client = MlflowClient(address())
            self.id = self._found() or self._begun(config)
            self.client.set_terminated(self.id, "RUNNING")
            for name, value in config["resolved"].items():
                self.client.log_param(self.id, name, value)
            for name in self._metrics():
                self.told |= {(name, each.step) for each in self.client.get_metric_history(self.id, name)}
            self._tell()
        except Exception as error:  # MLflow's own, the system's, the network's
            raise OutputError(
                "MLflow does not take the run",
                file=address(),
                found=str(error).splitlines()[0],
                remedy="look at MLFLOW_TRACKING_URI, or train without --mlflow",
            ) from error

    def on_epoch_end(self, epoch: int, logs=None) -> None:
        """Tell of an epoch; the history must have it already."""
        try:
            self._tell()
        except Exception as error:  # a training of hours does not end for it
            print(f"note: MLflow was not told of epoch {epoch + 1}: {str(error).splitlines()[0]}", file=sys.stderr)

    def on_train_end(self, logs=None) -> None:
        """Tell what was missed, and that the run is finished."""
        try:
            self._tell()
            self.client.set_terminated(self.id)
        except Exception as error:
            print(f"note: MLflow was not told of the run's end: {str(error).splitlines()[0]}", file=sys.stderr)

    def _found(self) -> str | None:
        """The id of the run that an earlier start began, if it is still there."""
        from mlflow.exceptions import MlflowException

        if not (self.run / NOTE).is_file():
            return None
        note = json.loads((self.run / NOTE).read_text(encoding="utf-8"))
        if note["address"] != address():
            return None
        try:
            known = self.client.get_run(note["id"]).info
        except MlflowException:
            return None
        return known.run_id if known.lifecycle_stage == "active" else None  # else it was deleted there

    def _begun(self, config: dict) -> str:
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME", EXPERIMENT)
        known = self.client.get_experiment_by_name(name)
        experiment = known.experiment_id if known else self.client.create_experiment(name)
        start = config["starts"][0]["record"]
        tags = {
            "mlflow.source.name": str(self.run),
            "mlflow.source.git.commit": (start["git"] or {}).get("commit"),
            "mlflow.note.content": "Trained on synthetic patients only." if config["synthetic"] else None,
            "data": config["data"]["fingerprint"],
            "synthetic": config["synthetic"],
        }
        tags = {tag: value for tag, value in tags.items() if value is not None}
        begun = self.client.create_run(experiment, tags=tags, run_name=self.run.name).info.run_id
        write_json(self.run / NOTE, {"address": address(), "id": begun})
        return begun

    def _metrics(self) -> list[str]:
        return [name for name in self.history().columns if name != "epoch"]

    def _tell(self) -> None:
        from mlflow.entities import Metric

        now = round(1000 * time.time())
        missing = [
            Metric(name, float(row[name]), now, int(row["epoch"]))
            for row in self.history().to_dict("records")
            for name in self._metrics()
            if (name, int(row["epoch"])) not in self.told
        ]
        for start in range(0, len(missing), 1000):  # as many as MLflow takes at once
            batch = missing[start : start + 1000]
            self.client.log_batch(self.id, metrics=batch)
            self.told |= {(metric.key, metric.step) for metric in batch}

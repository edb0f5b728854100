"""A run's settings and history for MLflow, without gaps or duplicates however often the training was stopped.

People compare runs in MLflow in order to choose one, so only errors on the validation patients are recorded there. The
test patients are for `lumbar.evaluation`, once.
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
"""Name of the MLflow experiment of the runs, unless MLFLOW_EXPERIMENT_NAME gives another."""

NOTE = "mlflow.json"
"""Name of the file in a run's folder that holds MLflow's address and the id of the run there."""


def address() -> str:
    """Return where MLflow keeps runs: the value of MLFLOW_TRACKING_URI, or else files below ``runs/mlflow``."""
    return os.environ.get("MLFLOW_TRACKING_URI") or (paths.runs() / "mlflow").absolute().as_uri()


class MlflowLog(keras.callbacks.Callback):
    """Records settings and epochs with MLflow, under the names that they have in config.json and history.csv.

    A training that resumes adds the missing epochs to the same MLflow run. If MLflow fails at the start, the training
    stops before it has cost any time. If MLflow fails later, the callback prints a note and tries again after the next
    epoch.

    Args:
        run: The run's folder; its config.json must be there when the training begins.
        history: Returns the rows of the finished epochs, see `lumbar.runs.folder.read_history`.
    """

    def __init__(self, run: Path, history: Callable[[], pd.DataFrame]):
        super().__init__()
        self.run, self.history = run, history
        self.recorded: set[tuple[str, int]] = set()

    def on_train_begin(self, logs=None) -> None:
        """Find or create the run in MLflow, and record the epochs that are finished.

        Raises:
            OutputError: If MLflow cannot record the run.
        """
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")  # no longer developed, but needs no database
        from mlflow import MlflowClient

        config = json.loads((self.run / "config.json").read_text(encoding="utf-8"))
        try:
            self.client = MlflowClient(address())
            self.id = self._existing_run() or self._new_run(config)
            self.client.set_terminated(self.id, "RUNNING")
            for name, value in config["resolved"].items():
                self.client.log_param(self.id, name, value)
            for name in self._metrics():
                self.recorded |= {(name, each.step) for each in self.client.get_metric_history(self.id, name)}
            self._record_missing()
        except Exception as error:  # of MLflow, of the operating system, or of the connection
            raise OutputError(
                "MLflow cannot record the run",
                file=address(),
                found=str(error).splitlines()[0],
                remedy="check MLFLOW_TRACKING_URI, or train without --mlflow",
            ) from error

    def on_epoch_end(self, epoch: int, logs=None) -> None:
        """Record an epoch; the history must have it already."""
        try:
            self._record_missing()
        except Exception as error:  # hours of training should not end because of MLflow
            print(f"note: MLflow did not record epoch {epoch + 1}: {str(error).splitlines()[0]}", file=sys.stderr)

    def on_train_end(self, logs=None) -> None:
        """Record the epochs that are still missing, and mark the run as finished."""
        try:
            self._record_missing()
            self.client.set_terminated(self.id)
        except Exception as error:
            print(f"note: MLflow did not record the end of the run: {str(error).splitlines()[0]}", file=sys.stderr)

    def _existing_run(self) -> str | None:
        """Return the id of the MLflow run that an earlier start created; None if it is not there any longer."""
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
        return known.run_id if known.lifecycle_stage == "active" else None  # a deleted run stays known to MLflow

    def _new_run(self, config: dict) -> str:
        """Create the run in MLflow, note its id in the run's folder, and return it."""
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
        created = self.client.create_run(experiment, tags=tags, run_name=self.run.name).info.run_id
        write_json(self.run / NOTE, {"address": address(), "id": created})
        return created

    def _metrics(self) -> list[str]:
        return [name for name in self.history().columns if name != "epoch"]

    def _record_missing(self) -> None:
        """Send MLflow every value of the history that it does not have yet."""
        from mlflow.entities import Metric

        now = round(1000 * time.time())
        missing = [
            Metric(name, float(row[name]), now, int(row["epoch"]))
            for row in self.history().to_dict("records")
            for name in self._metrics()
            if (name, int(row["epoch"])) not in self.recorded
        ]
        for start in range(0, len(missing), 1000):  # MLflow takes 1000 values per call
            batch = missing[start : start + 1000]
            self.client.log_batch(self.id, metrics=batch)
            self.recorded |= {(metric.key, metric.step) for metric in batch}

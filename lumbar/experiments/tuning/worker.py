"""One process of a search, chief or worker: ``python -m lumbar.experiments.tuning.worker FOLDER``.

Environment variables of Keras Tuner decide which of the two it is, see `lumbar.experiments.tuning.pool`.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress
from pathlib import Path

import grpc

from lumbar.compute.processes import exit_after
from lumbar.core.errors import LumbarError
from lumbar.core.schema import from_dict
from lumbar.experiments.tuning.pool import NO_CHIEF
from lumbar.experiments.tuning.trials import run_trials
from lumbar.runs.settings import TrainingSettings, TuningSettings


def main(folder: Path) -> int:
    """Run trials until there are no more.

    Args:
        folder: The search's folder.

    Returns:
        Exit code: 0 when there are no more trials, `NO_CHIEF` if the chief is gone, 1 if a restart would not help.
    """
    exit_after(_end_of_input)  # standard input ends with the process that started this one
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    tuning, training = from_dict(TuningSettings, config["tuning"]), from_dict(TrainingSettings, config["training"])
    try:
        run_trials(tuning, training, folder, progress=False)
    except grpc.RpcError as error:
        print(f"The chief does not answer: {error}", file=sys.stderr)
        return NO_CHIEF
    except LumbarError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


def _end_of_input() -> None:
    """Wait until standard input ends."""
    while os.read(0, 1):
        pass


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        raise SystemExit(main(Path(sys.argv[1])))

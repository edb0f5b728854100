"""One process of a search: ``python -m lumbar.experiments.tuning.worker FOLDER``, chief or worker by its environment."""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress
from pathlib import Path

import grpc

from lumbar.compute.processes import exit_after
from lumbar.core.errors import LumbarError
from lumbar.core.settings import from_dict
from lumbar.experiments.tuning.pool import NO_CHIEF
from lumbar.experiments.tuning.trials import run_trials
from lumbar.runs.settings import TrainingSettings, TuningSettings


def main(folder: Path) -> int:
    """Run trials until there are no more.

    Args:
        folder: The search's folder.

    Returns:
        0 when there are no more trials, `NO_CHIEF` if the chief is gone, 1 for anything that a restart does not mend.
    """
    exit_after(_end_of_input)  # standard input ends when the process that started this one has ended, however it did
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
    while os.read(0, 1):
        pass


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        raise SystemExit(main(Path(sys.argv[1])))

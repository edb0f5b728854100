"""Compare the networks, trained on the same patients for the same time: ``python benchmarks/models.py``.

Each network is trained on the default synthetic patients with its own recipe, for as many epochs as fit into the given
minutes. It is then measured on the synthetic test patients and, if a folder is given, on real ones. The command prints
a table and writes models.csv. Run it on an otherwise idle machine. A command that was stopped resumes when it is given
again.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pandas as pd

from lumbar.core import paths
from lumbar.core.allocator import keep_freed_memory
from lumbar.runs.folder import load_settings, read_history
from lumbar.runs.settings import TrainingSettings
from lumbar.storage.files import write_table
from lumbar.training.job import train

NETWORKS = {
    "baseline": {"model": "baseline"},
    "baseline, gelu": {"model": "baseline", "activation": "gelu"},
    "residual": {"model": "residual"},
    "heatmap": {"model": "heatmap"},
    "heatmap, gelu": {"model": "heatmap", "activation": "gelu"},
    "transfer, fresh backbone": {"model": "transfer"},
}
"""The networks that are compared: name → settings of the training."""


def compare(minutes: float, real: Path | None, backbone_weights: str | None) -> pd.DataFrame:
    """Train and measure all networks.

    Args:
        minutes: Minutes of training for each network.
        real: Folder of real labelled images to measure on, too; None for none.
        backbone_weights: Pretrained weights of a further transfer network; None for none.

    Returns:
        One row per network: number of weights, epochs, minutes of training, time per image, and errors.
    """
    networks = dict(NETWORKS)
    if backbone_weights:
        pretrained = {"model": "transfer", "backbone_weights": backbone_weights}
        networks["transfer, photographs"] = pretrained | {"frozen_epochs": 2}
    rows = []
    for name, settings in networks.items():
        run = trained(name, TrainingSettings(**settings, tensorboard=False), minutes)
        rows.append({"network": name, **facts(run), **measured(run, None)})
        if real:
            rows[-1] |= {f"real_{key}": value for key, value in measured(run, real).items()}
        print(pd.DataFrame(rows).round(2).to_string(index=False), file=sys.stderr)
    return pd.DataFrame(rows)


def trained(name: str, settings: TrainingSettings, minutes: float) -> Path:
    """Train a network for about so many minutes, and return its run."""
    folder = f"comparison-{minutes:g}/{name.replace(', ', '-').replace(' ', '-')}"
    if (paths.runs() / folder / "config.json").is_file():
        epochs = load_settings(paths.runs() / folder).epochs
    else:
        probe = train(replace(settings, epochs=3, name=f"{folder}-probe"))
        seconds = read_history(probe)["seconds"].iloc[1:].mean()  # the first epoch includes compilation
        epochs = max(int(minutes * 60 / seconds), 1)
    return train(replace(settings, epochs=epochs, name=folder))


def facts(run: Path) -> dict[str, float]:
    """Return weights, epochs, minutes of training, and the milliseconds that one image takes on one core."""
    history = read_history(run)
    command = [sys.executable, __file__, "--time", str(run)]
    weights, milliseconds = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.split()
    return {
        "weights": int(weights),
        "epochs": len(history),
        "minutes": round(history["seconds"].sum() / 60, 2),
        "ms_per_picture": round(float(milliseconds), 2),
    }


def measured(run: Path, data: Path | None) -> dict[str, float]:
    """Return the errors in pixels of the 256 frame, on the run's test patients or on another data set."""
    from lumbar.evaluation import EvaluationSettings, evaluate

    found = evaluate(EvaluationSettings(run=run, data=data), progress=False).metrics["network"]
    low, high = found["radial_mean_px_interval"]
    return {
        "patients": found["patients"],
        "mae_px": round(found["mae_px"], 3),
        "radial_px": round(found["radial_mean_px"], 3),
        "radial_low_px": round(low, 3),
        "radial_high_px": round(high, 3),
        "within_5_px": round(found["pck_5px"], 4),
    }


def print_time(run: Path, repeats: int = 200) -> None:
    """Print the number of weights, and the median milliseconds that the engine takes for one image on one core."""
    import numpy as np

    from lumbar import engines
    from lumbar.weights import safe_loading

    os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])
    network = engines.start(run / "best.keras")
    image = np.random.default_rng(0).random((1, 256, 256), dtype=np.float32)
    times = []
    for _ in range(repeats):
        begin = time.perf_counter()
        network.answer(image)
        times.append(1000 * (time.perf_counter() - begin))
    print(safe_loading.load(run / "best.keras").count_params(), statistics.median(times))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=4.0, help="minutes of training for each network (default: 4)")
    parser.add_argument("--real", type=Path, help="folder of real labelled images to measure on, too")
    parser.add_argument("--backbone-weights", help="add a network with a pretrained backbone: imagenet or a .h5 file")
    parser.add_argument("--time", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.time:
        print_time(given.time)
        return
    keep_freed_memory()
    table = compare(given.minutes, given.real, given.backbone_weights)
    write_table(paths.MEASURED / "models.csv", table)
    print(table.to_string(index=False))


if __name__ == "__main__":
    main()

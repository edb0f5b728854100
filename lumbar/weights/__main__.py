"""Release a trained network under a name: ``python -m lumbar.weights NAME RUN CROSSVALIDATION``."""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path

from lumbar import places, weights


def main() -> None:
    """Take a run's network, calibrate its confidence by a cross-validation, and put it beside the package's others."""
    parser = argparse.ArgumentParser(prog="python -m lumbar.weights", description=main.__doc__)
    parser.add_argument("name", help="what the released network is called")
    parser.add_argument("run", type=Path, help="run folder, or its name under runs/")
    parser.add_argument("crossvalidation", help="name of the cross-validation under runs/ that measured it")
    parser.add_argument("--network", default="this training", help="its row there (default: this training)")
    told = parser.parse_args()
    metrics = json.loads((places.runs() / told.crossvalidation / "metrics.json").read_text(encoding="utf-8"))
    sure = metrics["networks"][told.network]["confidence"]
    network = dataclasses.replace(weights.find(told.run), slope=sure["slope"], offset=sure["offset"])
    network = dataclasses.replace(network, doubtful=float(network.confidence(sure["doubtful_chance"])))
    print(weights.release(network, told.name))


if __name__ == "__main__":
    main()

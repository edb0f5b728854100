"""Release a trained network under a name: ``python -m lumbar.weights NAME RUN``."""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path

from lumbar import places, weights


def main() -> None:
    """Put a run's network beside the package's others; a cross-validation can calibrate its confidence."""
    parser = argparse.ArgumentParser(prog="python -m lumbar.weights", description=main.__doc__)
    parser.add_argument("name", help="what the released network is called")
    parser.add_argument("run", type=Path, help="run folder, or its name under runs/")
    parser.add_argument("--confidence", metavar="CROSSVALIDATION", help="name under runs/ of what calibrates it")
    parser.add_argument("--row", default="this training", help="its row there (default: this training)")
    told = parser.parse_args()
    network = weights.find(told.run)
    if told.confidence:
        file = places.runs() / told.confidence / "metrics.json"
        sure = json.loads(file.read_text(encoding="utf-8"))["networks"][told.row]["confidence"]
        network = dataclasses.replace(network, slope=sure["slope"], offset=sure["offset"])
        network = dataclasses.replace(network, doubtful=float(network.confidence(sure["doubtful_chance"])))
    print(weights.release(network, told.name))


if __name__ == "__main__":
    main()

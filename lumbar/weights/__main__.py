"""Release a trained network under a name: ``python -m lumbar.weights NAME RUN``."""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path

import numpy as np

from lumbar.core import paths
from lumbar.weights import find, release


def main() -> None:
    """Put a run's network beside the released ones; a cross-validation can calibrate its confidence and its count."""
    parser = argparse.ArgumentParser(prog="python -m lumbar.weights", description=main.__doc__)
    parser.add_argument("name", help="what the released network is called")
    parser.add_argument("run", type=Path, help="run folder, or its name under runs/")
    parser.add_argument("--last", action="store_true", help="take the network of the last epoch, not of the best one")
    parser.add_argument("--confidence", metavar="CROSSVALIDATION", help="name under runs/ of what calibrates it")
    parser.add_argument("--row", default="this training", help="its row there (default: this training)")
    arguments = parser.parse_args()
    network = find(arguments.run)
    if arguments.last:
        network = dataclasses.replace(network, file=network.file.with_name("last.keras"))
    if arguments.confidence:
        file = paths.runs() / arguments.confidence / "metrics.json"
        numbers = json.loads(file.read_text(encoding="utf-8"))["networks"][arguments.row]
        fitted = {name: numbers["confidence"][name] for name in ("slope", "offset")}
        fitted |= {f"count_{name}": value for name, value in numbers.get("count", {}).items()}
        network = dataclasses.replace(network, **fitted)
        limit = network.confidence(np.array(numbers["confidence"]["doubtful_probability"]))
        network = dataclasses.replace(network, doubtful=float(limit))
    print(release(network, arguments.name))


if __name__ == "__main__":
    main()

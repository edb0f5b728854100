"""``python -m lumbar export``: write a network for another runtime."""

from __future__ import annotations

import argparse
from pathlib import Path

from lumbar.core.constants import DEFAULT_WEIGHTS
from lumbar.runs.settings import WEIGHTS_HELP

ENDINGS = {
    "onnx": ".onnx",
    "pixels-to-points": "-pixels-to-points.onnx",
    "openvino": ".xml",
    "litert": ".tflite",
    "saved-model": "-saved-model",
}
"""Format → how the name of its file, or folder, ends."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command to its parser."""
    parser.add_argument(
        "network", nargs="?", default=DEFAULT_WEIGHTS, help=f"{WEIGHTS_HELP} (default: {DEFAULT_WEIGHTS})"
    )
    parser.add_argument(
        "--to",
        choices=ENDINGS,
        default="onnx",
        help="onnx: for ONNX Runtime and many others; pixels-to-points: one ONNX file that takes the pixels of an "
        "image of any size and gives its points, with confidence and flag; openvino: OpenVINO (.xml and .bin); litert: "
        "LiteRT, formerly TensorFlow Lite; saved-model: a folder for TensorFlow (default: onnx)",
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="what to write (default: the network's name)")


def run(arguments: argparse.Namespace) -> int:
    """Write the file, and print where it is."""
    from lumbar import weights
    from lumbar.engines.exporting import export

    network = weights.find(arguments.network)
    out = arguments.out or Path(Path(arguments.network).resolve().stem + ENDINGS[arguments.to])
    print(f"The network is in {export(network, arguments.to, out)}")
    return 0

"""The command line: ``python -m lumbar VERB``. The module of a verb is imported only when the verb is used."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence

import lumbar
from lumbar.core import extras
from lumbar.core.allocator import keep_freed_memory
from lumbar.core.errors import LumbarError, OutputError

VERBS = {
    "doctor": "check that this machine meets the requirements, and print a remedy for each one it does not meet",
    "phantom": "make synthetic patients and write them as DICOM studies with a landmark table",
    "datasets": "list the public data sets: content, licence, where to get them, and which are on this machine",
    "fetch": "download a public data set, if its terms allow it, and unpack it below data/",
    "check": "check a data set: report its layout, its content and every problem",
    "prepare": "prepare the images of a data set for training, on all cores or a Dask cluster (train does this, too)",
    "train": "train a network and write a run folder",
    "evaluate": "measure a run on the test patients and compare it with trivial baselines",
    "rerun": "repeat the training of a run, and report whether the result is identical to the bit",
    "predict": "find the disc levels in images",
    "locate": "find the disc levels of a whole study, in patient coordinates and in the axial slices that show them",
    "export": "write a network for another runtime: ONNX, OpenVINO, LiteRT, TensorFlow's SavedModel",
    "page": "build a page that finds the points of a picture in the browser, and sends nothing",
    "report": "write an HTML report on a run, or on points found in images, with buttons to judge each image",
    "crossvalidate": "train a network for each fold of the patients, and measure it on patients that it has not seen",
    "tune": "search for better settings with Keras Tuner, then train and evaluate a network with the best ones",
    "sweep": "execute a notebook for each combination of its parameters in a grid, and compare the results",
    "course": "execute the notebooks of the course in order, and write a summary page",
}
"""Each verb is a module of `lumbar.cli` with ``add_arguments(parser)`` and ``run(arguments) -> exit code``."""

NEEDS = {
    "train": "train",
    "rerun": "train",
    "crossvalidate": "train",
    "tune": "train",
    "sweep": "course",
    "course": "course",
}
"""Verb → the extra that it needs, see `lumbar.core.extras`."""

INTERRUPTED = 130
"""Exit code of a command that was stopped with Ctrl-C: 128 + the number of the signal SIGINT."""

RESUMABLE = ("fetch", "prepare", "train", "rerun", "tune", "crossvalidate", "sweep")
"""Verbs that continue unfinished work when they are called again."""

RESUME = "Finished work is kept. Run the same command again to continue."
"""What a resumable verb prints when it is stopped."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: The command-line arguments after the program name; by default those of this process.

    Returns:
        The exit code: 0 for success, 1 for an error or a problem that the command found, 130 after Ctrl-C.

    Raises:
        SystemExit: After ``--help`` or ``--version``, with code 0, or for invalid arguments, with code 2.
    """
    keep_freed_memory()
    words = list(sys.argv[1:] if arguments is None else arguments)
    parser = argparse.ArgumentParser(prog="python -m lumbar", description=lumbar.__doc__)
    parser.add_argument("--version", action="version", version=f"lumbar {lumbar.__version__}")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    chosen = next((word for word in words if not word.startswith("-")), None)
    for verb, purpose in VERBS.items():
        subparser = verbs.add_parser(verb, help=purpose, description=purpose[0].upper() + purpose[1:] + ".")
        if verb == chosen:
            command = importlib.import_module(f"lumbar.cli.{verb}")
            command.add_arguments(subparser)
    parsed = parser.parse_args(words)
    try:
        if parsed.verb in NEEDS:
            extras.require(NEEDS[parsed.verb], parsed.verb)
        return command.run(parsed)
    except LumbarError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        if isinstance(error, OutputError) and parsed.verb in RESUMABLE:
            print(RESUME, file=sys.stderr)
        return 1
    except OSError as error:  # for files that a command writes, `lumbar.storage.files` raises an OutputError instead
        print(f"The operating system reports an error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped." + (f" {RESUME}" if parsed.verb in RESUMABLE else ""), file=sys.stderr)
        return INTERRUPTED

"""The command line: ``python -m lumbar VERB``. A verb's room is imported only when the verb is used."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence

import lumbar
from lumbar.core.allocator import keep_freed_memory
from lumbar.core.errors import LumbarError, OutputError

VERBS = {
    "doctor": "say what this machine has and lacks, with the remedy",
    "phantom": "make synthetic patients and write them as DICOM studies with a landmark table",
    "datasets": "list the public data sets we can read: what they hold, their licence, where to get them, what is here",
    "fetch": "download a public data set that allows it, and unpack it below data/",
    "check": "say whether a folder is a data set we can read, what is in it, and what is wrong",
    "prepare": "make the pictures of a data set ready for training, on all cores or a Dask cluster (train does it too)",
    "train": "train a network and leave a run folder",
    "evaluate": "measure a run on the test patients, beside trivial baselines",
    "rerun": "train a run a second time from its folder, and say whether it came out the same to the bit",
    "predict": "find the points in pictures that nobody has marked",
    "locate": "find the disc levels of a whole study, in the patient and in the axial slices that show them",
    "report": "make one HTML page of what was found in pictures, or of a run",
    "crossvalidate": "train a network for each fold of the patients, and measure each on those it has not seen",
    "tune": "search for better settings with Keras Tuner, then train and evaluate the best",
    "sweep": "execute a notebook for each combination of a grid of its parameters, and compare what came of them",
    "course": "execute the notebooks from first to last and write a summary page",
}
"""Each verb is a module of `lumbar.cli` with ``add_arguments(parser)`` and ``run(arguments) -> exit code``."""

INTERRUPTED = 130
"""Exit code of a command that was stopped with Ctrl-C, as shells count it."""

GO_ON = ("fetch", "prepare", "train", "rerun", "tune", "crossvalidate", "sweep")
"""Verbs that go on where they stood when they are called again."""

KEPT = "What was finished is kept; the same command goes on from there."


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: The words after the program's name; those of this process if left out.

    Returns:
        The exit code: 0 if all went well, 1 for a problem found, 2 for a command that cannot be understood.
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
        return command.run(parsed)
    except LumbarError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        if isinstance(error, OutputError) and parsed.verb in GO_ON:
            print(KEPT, file=sys.stderr)
        return 1
    except OSError as error:  # of the system: where we write, `lumbar.storage.files` says more
        print(f"The system refuses: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped." + (f" {KEPT}" if parsed.verb in GO_ON else ""), file=sys.stderr)
        return INTERRUPTED

"""``python -m lumbar prepare``."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from contextlib import nullcontext
from pathlib import Path

from lumbar.settings import add_flags, from_flags
from lumbar.training import TrainingSettings

_ASKED = ("views", "fit")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which pictures, how, and who does the work; views and fit as for `train`, which then finds them ready."""
    parser.add_argument("path", type=Path, metavar="PATH", help="folder of a data set")
    skip = tuple(field.name for field in dataclasses.fields(TrainingSettings) if field.name not in _ASKED)
    add_flags(parser, TrainingSettings, skip=skip)
    parser.add_argument(
        "--workers", type=int, metavar="N", help="processes that prepare pictures (default: one a core)"
    )
    parser.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="have the workers of this Dask cluster do it, e.g. tcp://10.0.0.5:8786; one that you trust, whose workers "
        "see the data folder under the same path",
    )


def run(arguments: argparse.Namespace) -> int:
    """Prepare the pictures and say what there is now."""
    from lumbar import cluster, datasets, places
    from lumbar.preprocess import PreprocessSettings, prepare

    settings = from_flags(TrainingSettings, arguments)
    path = arguments.path.expanduser().absolute()  # workers may stand in another folder
    _, root = datasets.find_reader(path)
    folder = root if root.is_dir() else root.parent
    with cluster.at(arguments.scheduler, folder) if arguments.scheduler else nullcontext():
        dataset = datasets.load(path)
        for note in dataset.notes:
            print(f"note: {note}", file=sys.stderr)
        how = PreprocessSettings(fit=settings.fit)
        prepared = prepare(dataset, how, views=settings.views, cache=places.cache(), workers=arguments.workers)
    print(f"{len(prepared.images)} pictures of {prepared.index['patient'].nunique()} patients are ready for training")
    print(f"Next: python train.py --data {arguments.path}" + _said(settings))
    return 0


def _said(settings: TrainingSettings) -> str:
    """The flags that `train` needs to find these pictures."""
    default = TrainingSettings()
    words = [f" --views {' '.join(settings.views)}"] if settings.views != default.views else []
    words += [f" --fit {settings.fit}"] if settings.fit != default.fit else []
    return "".join(words)

"""``python -m lumbar prepare``: prepare the images of a data set for training."""

from __future__ import annotations

import argparse
import dataclasses
from contextlib import nullcontext
from pathlib import Path

from lumbar.core.schema import add_flags, from_flags
from lumbar.runs.settings import TrainingSettings

_FLAGS = ("views", "resize")
"""The training settings that the preparation depends on."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command to its parser; ``--views`` and ``--resize`` are those of `train`."""
    parser.add_argument("path", type=Path, metavar="PATH", help="folder of a data set")
    skip = tuple(field.name for field in dataclasses.fields(TrainingSettings) if field.name not in _FLAGS)
    add_flags(parser, TrainingSettings, skip=skip)
    parser.add_argument(
        "--workers", type=int, metavar="N", help="processes that prepare images (default: one per core)"
    )
    parser.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="use the workers of this Dask cluster, e.g. tcp://10.0.0.5:8786; use a cluster that you trust and whose "
        "workers see the data folder under the same path",
    )


def run(arguments: argparse.Namespace) -> int:
    """Prepare the images, and report how many are ready."""
    from lumbar import datasets
    from lumbar.compute import dask_cluster
    from lumbar.preprocess import PreprocessSettings

    settings = from_flags(TrainingSettings, arguments)
    path = arguments.path.expanduser().absolute()  # workers may have another current folder
    _, root = datasets.find_reader(path)
    folder = root if root.is_dir() else root.parent
    with dask_cluster.use_cluster(arguments.scheduler, folder) if arguments.scheduler else nullcontext():
        how = PreprocessSettings(resize=settings.resize)
        _, prepared = datasets.load_prepared(path, how, views=settings.views, workers=arguments.workers)
    print(f"{len(prepared.images)} pictures of {prepared.index['patient'].nunique()} patients are ready for training")
    print(f"Next: python -m lumbar train --data {arguments.path}" + _flags(settings))
    return 0


def _flags(settings: TrainingSettings) -> str:
    """Return the flags that `train` needs to find these images."""
    default = TrainingSettings()
    words = [f" --views {' '.join(settings.views)}"] if settings.views != default.views else []
    words += [f" --resize {settings.resize}"] if settings.resize != default.resize else []
    return "".join(words)

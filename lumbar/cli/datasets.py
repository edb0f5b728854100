"""``python -m lumbar datasets``: list the public data sets, and the data sets on this machine."""

from __future__ import annotations

import argparse
from pathlib import Path

from lumbar.core import paths
from lumbar.core.errors import DatasetError
from lumbar.download.catalogue import SETS
from lumbar.download.refusals import by_hand


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add no arguments: this command has none."""


def run(arguments: argparse.Namespace) -> int:
    """Print each public data set, the layouts that the user's own data may have, and the other data sets in data/."""
    from lumbar.datasets import READERS

    for known in SETS:
        get = f"python -m lumbar fetch {known.name}" if known.fetchable else by_hand(known)
        facts = {"content": known.holds, "licence": known.licence, "size": known.size, "page": known.address}
        print(f"{known.name}: {known.title}")
        for name, value in (facts | {"get it": get, "here": _where(known.place)}).items():
            print(f"  {name:<8} {value}")
        print()
    print("Your own data may have one of these layouts:")
    for reader in READERS:
        if reader.any_name:
            print(f"  {reader.layout}: {reader.looks_for}")
    others = sorted(set(_folders(paths.data())) - {known.place for known in SETS})
    found = [(folder, layout) for folder in others if (layout := _layout(folder))]
    if found:
        print(f"\nAlso in {paths.data()}:")
        for folder, layout in found:
            print(f"  {folder.name}: {layout}")
    return 0


def _where(place: Path) -> str:
    """Return where the data set is, or where to put it if it is not on this machine."""
    if not place.is_dir() or not any(place.iterdir()):
        return f"no; it belongs in {place}"
    layout = next((layout for folder in (place, *_folders(place)) if (layout := _layout(folder))), "")
    return f"{place}" if layout else f"{place}, but incomplete; see python -m lumbar check {place}"


def _folders(place: Path) -> list[Path]:
    return sorted(entry for entry in place.iterdir() if entry.is_dir()) if place.is_dir() else []


def _layout(folder: Path) -> str:
    """Return the name of the layout of a folder, or "" if it has none of the known ones."""
    from lumbar.datasets import find_reader

    try:
        return find_reader(folder)[0].layout
    except DatasetError:
        return ""

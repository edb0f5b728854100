"""Find different files that claim to be the same image, and files of different series that claim to be one series."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

SERIES_WIDE = ("study", "patient", "modality", "description")
"""Entries of `lumbar.imaging.Scan.identity` that are the same for all images of a series (PS3.3, A.1.2.3)."""


def clashes(identities: Iterable[tuple[str, Mapping[str, str]]]) -> list[tuple[str, str]]:
    """Find files whose identifiers contradict those of other files.

    Args:
        identities: The name of each file and its scan's `identity`.

    Returns:
        (name, problem) for each file concerned, in the given order. No problem contains a person's name.
    """
    identities = list(identities)
    instances, series = defaultdict(set), defaultdict(set)
    for name, identity in identities:
        if identity.get("instance"):
            instances[identity["instance"]].add(name)
        if identity.get("series"):
            series[identity["series"]].add(tuple(identity.get(each, "") for each in SERIES_WIDE))
    found = []
    for name, identity in identities:
        if len(instances.get(identity.get("instance"), ())) > 1:
            found.append((name, "another file has the same SOPInstanceUID"))
        several = series.get(identity.get("series"), ())
        if len(several) > 1:
            columns = zip(SERIES_WIDE, zip(*several, strict=True), strict=True)
            differing = [each for each, values in columns if len(set(values)) > 1]
            found.append((name, f"files with a different {' and '.join(differing)} have the same SeriesInstanceUID"))
    return list(dict.fromkeys(found))

"""Files that claim to be the same picture, or series that claim to be one, and are not."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

SERIES_WIDE = ("study", "patient", "modality", "description")
"""What all pictures of one series have in common (PS3.3, A.1.2.3); of `lumbar.imaging.Scan.identity`."""


def clashes(identities: Iterable[tuple[str, Mapping[str, str]]]) -> list[tuple[str, str]]:
    """Find them.

    Args:
        identities: For each file its name and its scan's `identity`.

    Returns:
        (name, problem) of each file concerned, in the order given. A problem names no person.
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
            found.append((name, f"files of another {' and '.join(differing)} have the same SeriesInstanceUID"))
    return list(dict.fromkeys(found))

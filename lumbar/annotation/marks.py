"""What a rater has marked in one image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lumbar.annotation.cases import Points
from lumbar.annotation.slices import Slice


@dataclass(frozen=True)
class Marks:
    """What has been marked in one image.

    Args:
        points: The points so far.
        place: The slice on which they lie.
        times: Name → when the rater last changed its point, or else confirmed it, ISO 8601 in UTC.
        done: Whether the rater has declared the image finished.
        digest: Fingerprint of the file of the slice when the points were last changed; "" before.
    """

    points: Points
    place: Slice
    times: Mapping[str, str] = field(default_factory=dict)
    done: bool = False
    digest: str = ""

    def changed(self, points: Points, place: Slice, *, done: bool, at: str, digest: str) -> Marks:
        """Return what is marked after a change.

        Args:
            points: All points of the image.
            place: The slice on which they lie.
            done: Whether the image is finished.
            at: Time of the change.
            digest: Fingerprint of the file of the slice.
        """
        nothing = object()
        new = [name for name in points if place != self.place or points[name] != self.points.get(name, nothing)]
        kept = {name: time for name, time in self.times.items() if name in points}
        confirmed = points if done and not self.done else ()
        times = dict.fromkeys(confirmed, at) | kept | dict.fromkeys(new, at)
        return Marks(points, place, times, done, digest)

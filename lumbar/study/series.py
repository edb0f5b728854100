"""The series of a study: which slices belong together, which series are of use, and their irregularities."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from lumbar.core.constants import VIEWS
from lumbar.imaging.dicom.slice_header import SliceHeader
from lumbar.study.stacks import Stack, group_into_stacks
from lumbar.study.torn import join_torn, tell_apart

MODALITIES = ("MR", "CT", "")
"""Modalities whose slices show a spine as the networks know it; files that do not state one are accepted."""

THICK_SLAB_MM = 20.0
"""Slices thicker than this are projections (MR myelography), in which a point has no depth."""

NO_FRAME = "the files do not state their frame of reference, so no point can be mapped to or from them"
"""Warning about a series without a frame of reference."""

LOCALISER = "a localiser"
"""How the reason begins for which a localiser is left out."""

_LOCALISER = re.compile(
    r"(?<![a-z])(loc|locali[sz]ers?|locali[sz]ador|pilot|scouts?|survey|surview|topogram|(3|three)[ _-]?plane)(?![a-z])"
)
_ALIKE = ("study", "modality", "series_number", "description")
"""Attributes that all files of a series share, by the standard (PS3.3, C.7.3.1)."""


@dataclass(frozen=True, eq=False)
class Series:
    """One series of a study.

    Args:
        identity: Names and identifiers in the header of its first slice, see
            `lumbar.imaging.dicom.slice_header.SliceHeader`.
        frame_of_reference: Frame of Reference UID; "" if the files do not state it.
        stacks: Its sorted slices; empty if the series is left out.
        warnings: Irregularities of the series, in plain sentences.
        left_out: Why the series is not used; "" if it is used.
        count: Number of slices found, also for a series that is left out.
        overview: Stacks of a localiser, too coarse to place points in; see `lumbar.study.overview`.
    """

    identity: dict[str, str]
    frame_of_reference: str
    stacks: tuple[Stack, ...]
    warnings: tuple[str, ...]
    left_out: str
    count: int
    overview: tuple[Stack, ...] = ()

    @property
    def name(self) -> str:
        """Name for a reader: number and description."""
        number, description = self.identity["series_number"], self.identity["description"]
        if not (number or description or self.identity["series"]) and self.stacks:
            description = self.stacks[0].view
        return f"series {number or self.identity['series'] or 'without a number'}" + (
            f" ({description})" if description else ""
        )

    def matches(self, wanted: str) -> bool:
        """Return whether a number or Series Instance UID names this series.

        Args:
            wanted: The number or UID.
        """
        identities = [self.identity, *(each.identity for stack in self.stacks for each in stack.slices)]
        return any(wanted in (each["series_number"], each["series"]) for each in identities)


def group_into_series(slices: Sequence[SliceHeader]) -> tuple[Series, ...]:
    """Group slices into series by Series Instance UID.

    Two series that share a UID are separated, and one whose slices have a UID each is put together, with a warning.

    Args:
        slices: Slices of one study, in any order.

    Returns:
        The series, sorted by number and UID.
    """
    alike = defaultdict(list)
    for each in slices:
        alike[each.identity["series"], *(each.identity[name] for name in _ALIKE)].append(each)
    nameless = [key for key in alike if not key[0]]
    # Without UIDs, numbers and descriptions tell series apart; if they are all the same, only the slices themselves do.
    parts = tell_apart(alike.pop(nameless[0])) if len(nameless) == 1 else []
    groups = join_torn([group for members in (*alike.values(), *parts) for group in _by_frame(members)])
    uids = [group[0].identity["series"] for group in groups]
    found = [_series(group, shared=uids.count(group[0].identity["series"]) > 1) for group in groups]
    return tuple(sorted(found, key=lambda each: (_number(each.identity["series_number"]), each.identity["series"])))


def _by_frame(slices: list[SliceHeader]) -> list[list[SliceHeader]]:
    """Separate slices by their frame of reference, unless each has its own: then it says nothing."""
    frames = defaultdict(list)
    for each in slices:
        frames[each.frame_of_reference].append(each)
    return [slices] if len(frames) == len(slices) else list(frames.values())


def _series(slices: list[SliceHeader], *, shared: bool) -> Series:
    identity, reference = slices[0].identity, slices[0].frame_of_reference
    warnings = []
    if len({each.identity["series"] for each in slices}) > 1:
        warnings.append(
            f"{len(slices)} series of one slice each were put together: they agree in description, echo and "
            "orientation, and lie at regular positions"
        )
    elif not identity["series"]:
        warnings.append("the files have no Series Instance UID; what tells their series apart is uncertain")
    elif shared:
        warnings.append(f"another series has the same Series Instance UID, {identity['series']}")
    placed = [each for each in slices if each.plane is not None]
    stacks = group_into_stacks(placed)
    if len({each.frame_of_reference for each in slices}) > 1:
        stacks = [replace(stack, common_frame=reference) for stack in stacks]
    left_out = _why_left_out(slices, placed, stacks)
    if left_out:
        overview = tuple(stacks) if left_out.startswith(LOCALISER) else ()
        return Series(identity, reference, (), tuple(warnings), left_out, len(slices), overview)
    if len(placed) < len(slices):
        warnings.append(f"{len(slices) - len(placed)} slice(s) do not state their position and were left out")
    if not reference:
        warnings.append(NO_FRAME)
    warnings += dict.fromkeys(text for each in placed for text in each.warnings)
    warnings += _irregularities(stacks)
    return Series(identity, reference, tuple(stacks), tuple(warnings), "", len(slices))


def _why_left_out(slices: list[SliceHeader], placed: list[SliceHeader], stacks: list[Stack]) -> str:
    """Return why a series cannot be used to find levels; "" if it can."""
    first = slices[0]
    if first.identity["modality"] not in MODALITIES:
        return f"its modality is {first.identity['modality']}"
    for word, kind in (
        ("LOCALIZER", LOCALISER),
        ("PROJECTION IMAGE", "projections, in which a point has no depth"),
    ):
        if any(word in each.image_type for each in slices):
            return f"{kind}, as its Image Type says"
    if _LOCALISER.search(first.identity["description"].lower()):
        return f"{LOCALISER}, as its description says"
    if not placed:
        return "its files do not state where in the patient they lie"
    if {stack.view for stack in stacks} == set(VIEWS):
        return f"{LOCALISER}: its slices lie in all three planes"
    if (stacks[0].thickness or 0) > THICK_SLAB_MM:
        return f"a slab {stacks[0].thickness:.4g} mm thick, in which a point has no depth"
    return ""


def _irregularities(stacks: list[Stack]) -> list[str]:
    """Return what is unusual about the stacks of one series together, in plain sentences."""
    views = [view for view in VIEWS if any(stack.view == view for stack in stacks)]
    if len(views) > 1:
        return [f"its slices lie in two planes ({' and '.join(views)}), as if two series shared one UID"]
    found = []
    sizes = {(each.width, each.height) for stack in stacks for each in stack.slices}
    if len(sizes) > 1:
        found.append(f"pictures of several sizes: {', '.join(f'{w}×{h}' for w, h in sorted(sizes))}")
    turned = {tuple(stack.normal.round(2)) for stack in stacks}
    # Axial slices are often angled along each disc.
    if len(turned) > 1 and views != ["axial"]:
        found.append(f"slices of {len(turned)} orientations in one series")
    return found


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("inf")

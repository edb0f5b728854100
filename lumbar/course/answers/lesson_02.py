"""Lesson 02: unit coordinates, leaks and how to find them, and a change that lies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from lumbar.course.riddles import Riddle
from lumbar.geometry import SIZE

Map = Callable[[float, int], float | None]
Detector = Callable[[list[str], list[str]], Any]

_PLACES = ((-0.5, 320), (0, 320), (77.25, 320), (319.5, 320), (99.5, 200))
"""Pairs of x, native pixels, and width."""

_SHARES = ((0, 320), (0.25, 320), (1, 200))
"""Pairs of x, unit coordinates, and width."""

_SPLITS = (
    ("p1 p1 p2 p2 p3 p3", "train train train validation test test"),
    ("p1 p2 p1 p3 p2 p1", "train test train test test train"),  # nobody leaks, though some have several pictures
    ("p1 p2 p3 p1 p2 p1", "train train train validation test test"),  # p1 stands in all three parts
    ("p4 p5 p6 p5 p4", "validation test train test test"),  # the training part has nothing to do with it
    ("p7", "test"),
)
"""Splits to try a detector on: the patient of each image, and its part."""


def exercise_1() -> Riddle:
    """How does one come from native pixels to unit coordinates, and back? The answer is a pair of functions."""

    def there(x: float, width: int) -> float:
        return (x + 0.5) / width

    def back(u: float, width: int) -> float:
        return u * width - 0.5

    return Riddle(
        (there, back),
        "the left edge is at -0.5 and must become 0; the right edge is at width - 0.5 and must become 1",
        {
            "one of the two functions still returns nothing": [
                (there, lambda u, width: None),
                (lambda x, width: None, back),
            ],
            "that is the tempting shortcut: there and back agree, and yet each is half a pixel off": [
                (lambda x, width: x / width, lambda u, width: u * width)
            ],
            "that makes 0 and 1 of the outermost *centres*; it should be the edges": [
                (lambda x, width: x / (width - 1), lambda u, width: u * (width - 1))
            ],
            "half a pixel, but to the wrong side: what must be added to -0.5 to get 0?": [
                (lambda x, width: (x - 0.5) / width, lambda u, width: u * width + 0.5)
            ],
            "add the half while you still count in pixels, before you divide": [
                (lambda x, width: x / width + 0.5, lambda u, width: (u - 0.5) * width)
            ],
            "the way there is right; the way back undoes its steps in reverse order, first the scale, then the half": [
                (there, lambda u, width: (u - 0.5) * width),
                (there, lambda u, width: u * width + 0.5),
                (there, lambda u, width: u * width),
            ],
            f"that is the map to {SIZE} pixels; unit coordinates end at 1": [
                (lambda x, width: (x + 0.5) * SIZE / width - 0.5, lambda u, width: (u + 0.5) * width / SIZE - 0.5),
                (lambda x, width: (x + 0.5) * SIZE / width, lambda u, width: u * width / SIZE - 0.5),
            ],
        },
        tolerance=1e-9,
        tried=_mapped,
    )


def _mapped(maps: tuple[Map, Map]) -> list[float | None]:
    """Return where two maps, to unit coordinates and back, lead; inf for None, unless all are None."""
    to_unit, from_unit = maps
    values = [to_unit(*each) for each in _PLACES] + [from_unit(*each) for each in _SHARES]
    return values if all(value is None for value in values) else [np.inf if each is None else each for each in values]


def exercise_2() -> Riddle:
    """Whose split leaks?"""
    return Riddle(
        "ben",
        "go through the patients, p1 to p3: in whose split does one of them stand in two parts?",
        {
            "cleo has no validation part, which is unwise; but does anybody stand in two of her parts?": ["cleo"],
            "in ada's split each patient has two pictures, and both are in the same part": ["ada"],
            "that is the patient who stands in two parts; in whose split?": ["p2"],
            "one of the three does: look at p2": ["none", "nobody", "no one"],
        },
    )


def exercise_3() -> Riddle:
    """Which patients stand in more than one part? The answer is a function of the images' patients and parts."""
    return Riddle(
        _leaking,
        "collect the set of parts of each patient; who has more than one leaks. Return a set of patients",
        {
            "somebody may have several pictures, as long as all are in one part: count parts, not pictures": [
                lambda patients, parts: {each for each in patients if patients.count(each) > 1}
            ],
            "True or False says that somebody leaks, and a number says how many; return who": [
                lambda patients, parts: bool(_leaking(patients, parts)),
                lambda patients, parts: not _leaking(patients, parts),
                lambda patients, parts: len(_leaking(patients, parts)),
            ],
            "the others in a part do no harm; return only those who stand in a second part, too": [
                _with_their_parts,
                lambda patients, parts: set(patients) if _leaking(patients, parts) else set(),
            ],
            "the pictures of a patient need not follow each other; yours misses those with somebody in between": [
                _between_neighbours
            ],
            "somebody in three parts leaks, too: more than one, not exactly two": [
                lambda patients, parts: {who for who, seen in _parts_of(patients, parts).items() if len(seen) == 2}
            ],
            "validation is a part, too; yours looks at train and test alone": [
                lambda patients, parts: {
                    who for who, seen in _parts_of(patients, parts).items() if {"train", "test"} <= seen
                }
            ],
            "yours stops at the first one; there may be more": [
                lambda patients, parts: set(sorted(_leaking(patients, parts))[:1]),
                lambda patients, parts: next(iter(sorted(_leaking(patients, parts))), None),
            ],
            "each patient once: yours names somebody again for each picture": [
                lambda patients, parts: [each for each in patients if each in _leaking(patients, parts)]
            ],
            "those are the parts in which a leak stands; return the patients": [
                lambda patients, parts: {
                    part for who, part in zip(patients, parts, strict=True) if who in _leaking(patients, parts)
                }
            ],
            "those are the patients who do *not* leak": [
                lambda patients, parts: set(patients) - _leaking(patients, parts)
            ],
            "right where somebody leaks; where nobody does, return an empty set, not None": [
                lambda patients, parts: _leaking(patients, parts) or None
            ],
        },
        tried=_said,
    )


def _parts_of(patients: Sequence[str], parts: Sequence[str]) -> dict[str, set[str]]:
    """Return the parts of each patient."""
    found: dict[str, set[str]] = {}
    for patient, part in zip(patients, parts, strict=True):
        found.setdefault(patient, set()).add(part)
    return found


def _leaking(patients: Sequence[str], parts: Sequence[str]) -> set[str]:
    """Return the patients who stand in more than one part."""
    return {patient for patient, seen in _parts_of(patients, parts).items() if len(seen) > 1}


def _with_their_parts(patients: Sequence[str], parts: Sequence[str]) -> set[str]:
    """Return, wrongly, all patients of the parts in which somebody leaks."""
    seen = _parts_of(patients, parts)
    spoilt = {part for patient in _leaking(patients, parts) for part in seen[patient]}
    return {patient for patient in seen if seen[patient] & spoilt}


def _between_neighbours(patients: Sequence[str], parts: Sequence[str]) -> set[str]:
    """Return, wrongly, only the patients whose part changes from one image to the next."""
    images = pairwise(zip(patients, parts, strict=True))
    return {patient for (patient, part), (other, following) in images if patient == other and part != following}


def _said(detector: Detector) -> set[str] | None:
    """Return what a detector says of each of `_SPLITS`, in words; None if it never says anything."""
    found = [detector(patients.split(), parts.split()) for patients, parts in _SPLITS]
    if all(each is None for each in found):
        return None
    return {f"split {number}: {word}" for number, each in enumerate(found) for word in _words(each)}


def _words(found: Any) -> list[str]:
    """Return patients with the number of times that each is named; a word for what is no collection."""
    if isinstance(found, str) or not isinstance(found, Iterable):
        return [f"just {found}"]
    return [f"{patient}, {times} times" for patient, times in Counter(map(str, found)).items()]


def exercise_4() -> Riddle:
    """Which change makes a picture that no scanner would give?"""
    return Riddle(
        "upside down",
        "in which of them is L1/L2 no longer above L5/S1? Type the words as they stand in the question",
        {
            "one patient lies a little higher in the scanner than the next; a shifted picture is a plausible one": [
                "shift"
            ],
            "nobody lies perfectly straight; five degrees are what scanners see every day": [
                "rotation by 5°",
                "rotation by 5",
                "rotation",
            ],
            "a signal has no unit, so a darker picture is as plausible as a brighter one": ["darker"],
            "one of them does; imagine each of them on the screen of a radiologist": ["none", "nothing"],
        },
    )

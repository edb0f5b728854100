"""Lesson 00: a distance in millimetres, and the scatter of one's own clicks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from lumbar.course.riddles import Riddle


def exercise_1(marked: Mapping[str, float], true: Mapping[str, float]) -> Riddle:
    """How many millimetres is a marked point from the true one?

    Args:
        marked: x and y, native pixels.
        true: x and y, native pixels; pixel_width and pixel_height, mm.
    """
    dx, dy = marked["x"] - true["x"], marked["y"] - true["y"]
    width, height = true["pixel_width"], true["pixel_height"]
    across, down = dx * width, dy * height
    return Riddle(
        np.hypot(across, down),
        "across: difference of x times pixel_width; down: difference of y times pixel_height; then np.hypot, unrounded",
        {
            "those are pixels; how many millimetres is one of them?": [np.hypot(dx, dy)],
            "that is how far off it is in one direction; the other one counts, too": [
                across,
                down,
                abs(across),
                abs(down),
            ],
            "you walked along both sides of a right angle; the distance is the short cut between their ends": [
                abs(across) + abs(down),
                across + down,
            ],
            "that is the square of the distance; its root is missing": [across**2 + down**2],
            "a pixel is as wide as pixel_width and as high as pixel_height, and you have swapped the two": [
                np.hypot(dx * height, dy * width)
            ],
            "you took one size for both directions; that is right for square pixels only": [
                np.hypot(dx, dy) * width,
                np.hypot(dx, dy) * height,
            ],
        },
        tolerance=0.005,
    )


def exercise_2(differences: Sequence[float]) -> Riddle:
    """What is the standard deviation of a single click?

    Args:
        differences: Differences between two clicks on the same place, along either axis, mm.
    """
    d = np.asarray(differences, float)
    square = np.mean(d**2)
    return Riddle(
        np.sqrt(square / 2),
        "the mean of d squared is 2 s squared: square, take the mean, halve it, and take the root; do not round",
        {
            "that is the scatter of a *difference*, to which two clicks contribute; what is left for one?": [
                np.sqrt(square),
                np.std(d),
                np.std(d, ddof=1),
            ],
            "that is s squared, or twice that; s is a length, so a root is missing": [square / 2, square],
            "halve before you take the root, not after: it is the *squares* of two clicks that add up": [
                np.sqrt(square) / 2
            ],
            "in the mean of d, clicks to the left cancel clicks to the right; take the mean of the *squares*": [
                np.mean(d),
                abs(np.mean(d)),
                abs(np.mean(d)) / np.sqrt(2),
                np.mean(d) ** 2 / 2,
            ],
            "the mean of absolute differences is another measure; variances add up, absolute differences do not": [
                np.mean(np.abs(d)),
                np.mean(np.abs(d)) / np.sqrt(2),
                np.mean(np.abs(d)) / 2,
            ],
            "nearly: a standard deviation subtracts the mean first, so it leaves out what shifts all your points": [
                np.std(d) / np.sqrt(2),
                np.std(d, ddof=1) / np.sqrt(2),
            ],
        },
        tolerance=0.005,
    )

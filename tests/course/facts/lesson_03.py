"""Facts for the exercises of lesson 03."""

import math

FACTS = {"03.1": (), "03.2": (), "03.3": (), "03.4": ()}


def _masked_mse(true, answer):
    total, known = 0.0, 0
    for point, given in zip(true, answer, strict=True):
        for there, here in zip(point, given, strict=True):
            if not math.isnan(there):
                total, known = total + (there - here) ** 2, known + 1
    return total / known if known else 0.0


def _soft_argmax(scores):
    places = [(row, column) for row in range(len(scores)) for column in range(len(scores[0]))]
    total = sum(math.exp(scores[row, column]) for row, column in places)
    x = sum(math.exp(scores[row, column]) * (column + 0.5) for row, column in places)
    y = sum(math.exp(scores[row, column]) * (row + 0.5) for row, column in places)
    return [x / total / len(scores[0]), y / total / len(scores)]


ANSWERED = {
    "03.1": 4608,
    "03.2": [[8, 4], [3, 1], [3, 1], *[[2, 2], [3, 1], [3, 1]] * 4],
    "03.3": _masked_mse,
    "03.4": _soft_argmax,
}

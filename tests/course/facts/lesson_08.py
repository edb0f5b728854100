"""Facts for the exercises of lesson 08."""

import pandas as pd

from lumbar.core.backend import keras

_INNER = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Conv2D(2, 3), keras.layers.BatchNormalization()])
_LAYERS = [keras.layers.Flatten(), keras.layers.Dense(3), keras.layers.Dense(2)]
_PLAIN = keras.Sequential(
    [keras.Input((4, 4, 1)), keras.layers.Conv2D(2, 3), keras.layers.BatchNormalization(), *_LAYERS]
)
_NESTED = keras.Sequential([keras.Input((4, 4, 1)), _INNER, keras.layers.Flatten(), keras.layers.Dense(3)])

_COLUMNS = ["network", *(f"{of}radial_{what}" for of in ("", "real_") for what in ("low_px", "px", "high_px"))]
_TABLE = pd.DataFrame(
    [
        ("baseline", 10, 12, 14, 20, 22, 24),
        ("much better", 5, 6, 7, 15, 18, 21),
        ("better on average", 10.5, 11.5, 12.5, 15, 18, 21),
        ("nearly", 8, 9, 11, 15, 18, 21),
        ("nearly, too", 9.5, 10.5, 11.5, 15, 18, 21),
        ("better elsewhere", 11, 12.5, 13, 10, 12, 14),
        ("worse", 15, 16, 17, 25, 27, 29),
    ],
    columns=_COLUMNS,
)

_PAIRS = {
    **{(10, size): [(9, 4), (8, 5), (3, 2)] for size in (5, 10)},  # always nearer than the partner
    **{(20, size): [(9, 4), (8, 3), (7, 2)] for size in (5, 10, 20)},  # and than every other fresh one
    (30, 5): [(9, 1), (2, 3), (3, 4)],  # nearer on average
    **{(40, size): [(4, 3), (4, 3), (1, 9)] for size in (5, 10)},  # nearer in most pairs
    **{(50, size): [(1, 2), (2, 3), (3, 4)] for size in (5, 10, 20, 40)},  # never
}
"""(steps, patients) → errors of the fresh network and of the borrowed one for each seed."""
_PLANES = pd.DataFrame(
    [
        (*case, start, seed, who, px + aside)
        for case, errors in _PAIRS.items()
        for seed, both in enumerate(errors)
        for start, px in zip(("fresh", "borrowed"), both, strict=True)
        for who, aside in ((1, -0.5), (2, 0.5))
    ],
    columns=["steps", "patients", "start", "seed", "stranger", "radial_px"],
)

FACTS = {"08.1": (_PLAIN,), "08.2": (_PLANES,), "08.3": (_NESTED,), "08.4": (_TABLE,)}

CONVOLUTION, NORMALISATION, DENSE, LAST = 2 * 9 + 2, 4 * 2, 3 * 8 + 3, 2 * 3 + 2

ANSWERED = {
    "08.1": (DENSE + LAST) / (CONVOLUTION + NORMALISATION + DENSE + LAST),
    "08.2": 5,
    "08.3": (CONVOLUTION + NORMALISATION) / (CONVOLUTION + NORMALISATION + DENSE),
    "08.4": ["much better"],
}

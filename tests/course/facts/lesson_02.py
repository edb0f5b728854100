"""Facts for the exercises of lesson 02."""

from collections import Counter

import numpy as np


def _leaking(patients, parts):
    stands_in = Counter(patient for patient, _ in set(zip(patients, parts, strict=True)))
    return sorted(patient for patient, times in stands_in.items() if times > 1)


FACTS = {"02.1": (), "02.2": (), "02.3": (), "02.4": ()}

ANSWERED = {
    "02.1": (
        lambda x, width: float(np.interp(x, [-0.5, width - 0.5], [0, 1])),
        lambda u, width: float(np.interp(u, [0, 1], [-0.5, width - 0.5])),
    ),
    "02.2": "ben",
    "02.3": _leaking,
    "02.4": "upside down",
}

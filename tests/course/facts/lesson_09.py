"""Facts for the exercises of lesson 09."""

import numpy as np
import pandas as pd

from lumbar.geometry import Plane

_AXIAL = {
    f"{number:03d}.dcm": Plane([-100, -100, 190 - 30 * number], [1, 0, 0], [0, 1, 0], 0.6, 0.6)
    for number in range(1, 6)
}
_SAGITTAL = [Plane([x, 0, 0], [0, 1, 0], [0, 0, -1], 1, 1) for x in (0, 12)]
_ASKED = pd.DataFrame(
    [("a", "L4/L5", 13, 24), ("a", "L5/S1", 14, 50), ("b", "L4/L5", 13, 24), ("b", "L5/S1", 16, 51)],
    columns=["image", "level", "x", "y"],
)

FACTS = {
    "09.1": (_AXIAL, np.array([0.0, 0, 98])),
    "09.2": (_ASKED, _SAGITTAL, np.array([0.0, 10, -20])),
    "09.3": (),
}

ANSWERED = {"09.1": "003.dcm", "09.2": [5, 13], "09.3": "C"}

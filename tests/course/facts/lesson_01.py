"""Facts for the exercises of lesson 01."""

from types import SimpleNamespace

import numpy as np

from lumbar.geometry import Plane

_SAGITTAL = Plane([5, -100, 200], [0, 1, 0], [0, 0, -1], 0.75, 0.5)
_AXIAL = [Plane([-100, -100, 150 - 30 * number], [1, 0, 0], [0, 1, 0], 0.6, 0.6) for number in range(5)]

FACTS = {
    "01.1": (SimpleNamespace(Rows=512, Columns=256, PixelSpacing=[0.5, 1.25]),),
    "01.2": (_SAGITTAL, [[120, 60], [140, 330]]),
    "01.3": (_AXIAL, np.array([0.0, 0, 88])),
}

ANSWERED = {"01.1": 320, "01.2": np.hypot(15, 135), "01.3": 3}

"""Facts for the exercises of lesson 13."""

import numpy as np
import pandas as pd

# Of six pictures, four are perfect, one has four points that are 6 px off, and one has a point at exactly 5 px: a miss.
_OFF_PX = np.zeros((6, 5))
_OFF_PX[3, 1:] = 6
_OFF_PX[4, 0] = 5

# How far off the network was, along x and y, px. Of the six points that are more than 5 px off, one stays as it is.
_OFF = np.array([(0, 0), (3, 0), (5, 0), (4, 4), (0, 6), (0, 8), (10, 0), (10, 10), (0, 20), (0, 1)])
_RIGHT = np.array([100.0, 50])
_LEFT_ALONE = np.array([1, 1, 1, 0, 0, 0, 0, 0, 1, 0])[:, None]
_PLACES = np.column_stack([_RIGHT + _OFF, _RIGHT + _OFF * _LEFT_ALONE])
_POINTS = pd.DataFrame(_PLACES, columns=["x_before", "y_before", "x", "y"])

FACTS = {"13.1": (_OFF_PX,), "13.2": (_POINTS.assign(x_true=100, y_true=50, pixel_width=0.55),)}

ANSWERED = {"13.1": 5 / 6, "13.2": 0.6}

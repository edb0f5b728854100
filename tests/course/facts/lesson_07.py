"""Facts for the exercises of lesson 07."""

import numpy as np
import pandas as pd

_PICTURES = 20
# Picture and level of each point of `phantom+mr` that is far off.
_FAR = [(0, 1), (0, 2), (1, 0), (4, 3), (9, 0), (12, 4), (19, 2)]


def _points(network, confidence, far):
    radial = np.ones(confidence.shape)
    radial[tuple(np.transpose(far))] = 25.0
    picture = np.repeat(np.arange(1, len(confidence) + 1), confidence.shape[1])
    return pd.DataFrame(
        {"network": network, "picture": picture, "radial_px": radial.ravel(), "confidence": confidence.ravel()}
    )


def _confidences(order):
    """Confidences of which picture `order[0]` has the lowest; in each picture one point is much surer."""
    least = np.empty(len(order))
    least[order] = np.linspace(0.5, 0.95, len(order))
    return least[:, None] + np.array([0.0, 0.01, 0.02, 0.3, 0.0])


_OURS = _points("phantom+mr", _confidences(np.arange(_PICTURES)), _FAR)
_OTHER = _points("phantom", _confidences(np.arange(_PICTURES)[::-1]), [(19, 1), (3, 2), (8, 0)])

FACTS = {"07.1": (), "07.2": (), "07.3": (pd.concat([_OURS, _OTHER], ignore_index=True),)}

ANSWERED = {"07.1": "b", "07.2": "C", "07.3": 2 / 7}

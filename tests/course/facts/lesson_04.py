"""Facts for the exercises of lesson 04."""

import pandas as pd

_HISTORY = pd.DataFrame(
    {
        "epoch": [1, 2, 3, 4, 5, 6, 7],
        "mae_px": [30.0, 12.0, 8.0, 7.0, 4.0, 5.0, 4.5],
        "val_mae_px": [31.0, 9.0, 2.5, 9.5, 9.0, 8.0, 7.0],
        "val_loss": [0.9, 0.5, 0.3, 0.4, 0.5, 0.2, 0.7],
    }
)

FACTS = {
    "04.1": (128.8,),
    "04.2": (),
    "04.3": (_HISTORY,),
    "04.4": ({"bare": 5.4, "dropout": -1.1, "augmentation": 0.5, "both": -1.9},),
}


def _step(weights, velocity, gradient, rate, momentum):
    moved = [momentum * v - rate * g for v, g in zip(velocity, gradient, strict=True)]
    return [[w + v for w, v in zip(weights, moved, strict=True)], moved]


ANSWERED = {"04.1": 0.503, "04.2": _step, "04.3": 3, "04.4": " Bare "}

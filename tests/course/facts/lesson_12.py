"""Facts for the exercises of lesson 12."""

import numpy as np

FACTS = {
    "12.1": (np.isin(np.arange(40), [2, 3, 5, 8, 20]),),
    "12.2": (-0.5, np.log(20.0)),
    "12.3": (),
}

ANSWERED = {"12.1": 21, "12.2": 20**2, "12.3": "2"}

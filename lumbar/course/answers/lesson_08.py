"""Lesson 08: where weights sit, when borrowed ones win beyond the seeds, which intervals speak for a difference."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from lumbar.course.riddles import Riddle

if TYPE_CHECKING:
    import keras

DOCUMENTED = 0.895
"""The share of the weights that sits in the dense layers of the documented network."""


def exercise_1(network: keras.Model) -> Riddle:
    """Which share of its weights does this network keep in its dense layers?"""
    from lumbar.core.backend import keras

    counts = [layer.count_params() for layer in network.layers]
    dense = [layer.count_params() for layer in network.layers if isinstance(layer, keras.layers.Dense)]
    convolutions = [layer.count_params() for layer in network.layers if isinstance(layer, keras.layers.Conv2D)]
    share = sum(dense) / sum(counts)
    return Riddle(
        share,
        "add up `count_params()` of the layers that are a `keras.layers.Dense`, and divide by that of the network",
        {
            "that is how many they are; divide by the weights of the whole network": [sum(dense)],
            "that is in percent; a number from 0 to 1 is wanted": [100 * share],
            "that is the documented network; this one has more convolutions": [0.9, DOCUMENTED],
            "that is the share of the other layers": [1 - share],
            "that is the share of the convolutions; batch normalisation has weights, too": [
                sum(convolutions) / sum(counts)
            ],
            "you counted layers; a layer may have a dozen weights or half a million": [
                len(dense) / len(counts),
                len(dense) / sum(count > 0 for count in counts),
            ],
            "that is one dense layer; there is another": [each / sum(counts) for each in dense],
        },
        tolerance=0.004,
    )


def exercise_2(planes: pd.DataFrame) -> Riddle:
    """In how many cases is the borrowed network nearer than its fresh partner with every seed?

    Args:
        planes: One row a network and stranger, with the columns steps, patients, start ("fresh" or "borrowed"), seed
            and radial_px.
    """
    error = planes.pivot_table("radial_px", ["steps", "patients", "seed"], "start")
    gain = error["fresh"] - error["borrowed"]
    won = (gain > 0).groupby(["steps", "patients"])
    worst, best = (error.groupby(["steps", "patients"]).agg(how) for how in ("max", "min"))
    return Riddle(
        won.all().sum(),
        "take the mean of `radial_px` over the strangers for each steps, patients, seed and start; then compare the "
        "two starts of each seed",
        {
            "in so many cases the *mean* difference is above zero; is it above zero in each of the pairs?": [
                (gain.groupby(["steps", "patients"]).mean() > 0).sum()
            ],
            "in so many cases *most* pairs are won; the question asks for all of them": [(won.mean() > 0.5).sum()],
            "in so many cases every borrowed network beats *every* fresh one; it need only beat its partner": [
                (worst["borrowed"] < best["fresh"]).sum()
            ],
            "in so many cases the *fresh* network is nearer with every seed": [
                (gain < 0).groupby(["steps", "patients"]).all().sum()
            ],
            "so many *pairs* are won; a case is an amount of steps with a number of patients": [(gain > 0).sum()],
            "so many cases there are; in how many are all pairs won?": [won.ngroups],
        },
    )


def exercise_3(network: keras.Model) -> Riddle:
    """Which share of all the weights sits in the part of this network that is itself a network?"""
    from lumbar.core.backend import keras

    (backbone,) = (layer for layer in network.layers if isinstance(layer, keras.Model))
    of_all, of_backbone = network.count_params(), backbone.count_params()
    share = of_backbone / of_all
    trainable = sum(int(np.prod(each.shape)) for each in network.trainable_weights)
    return Riddle(
        share,
        "find the layer for which `isinstance(layer, keras.Model)` is true, and ask it for `count_params()`",
        {
            "that is how many they are; divide by the weights of the whole network": [of_backbone],
            "that is in percent; a number from 0 to 1 is wanted": [100 * share],
            "that is the part on top, which learns first; the backbone is the rest": [1 - share],
            "you divided by the weights of the rest; the share is of *all* weights": [
                of_backbone / (of_all - of_backbone)
            ],
            "to Keras all these can be trained: the gate stops the gradient, and Keras does not know that": [
                trainable / of_all,
                1.0,
            ],
            "you counted layers; the backbone is one layer of the network, and has many of its own": [
                1 / len(network.layers)
            ],
        },
        tolerance=0.004,
    )


def exercise_4(table: pd.DataFrame) -> Riddle:
    """Which networks are better than the documented one, by their intervals on synthetic patients?

    Args:
        table: One row a network, with the columns network, radial_px, radial_low_px, radial_high_px, and the same of
            real patients (real_…).
    """
    baseline = table[table["network"] == "baseline"].iloc[0]

    def named(rows: pd.Series) -> set[str]:
        return set(table.loc[rows, "network"])

    return Riddle(
        named(table["radial_high_px"] < baseline["radial_low_px"]),
        "a network is better if its `radial_high_px` is below the `radial_low_px` of the baseline; give all of them, "
        "as a set",
        {
            "you compared the means; two intervals that overlap leave it open": [
                named(table["radial_px"] < baseline["radial_px"])
            ],
            "its mean is below the baseline's interval, but its own interval reaches into it": [
                named(table["radial_px"] < baseline["radial_low_px"])
            ],
            "the baseline's mean is above its interval, but the baseline has an interval, too": [
                named(table["radial_high_px"] < baseline["radial_px"])
            ],
            "so it is on real patients; the question is about synthetic ones": [
                named(table["real_radial_high_px"] < baseline["real_radial_low_px"])
            ],
            "those have the larger error, and an error should be small": [
                named(table["radial_px"] > baseline["radial_px"]),
                named(table["radial_low_px"] > baseline["radial_high_px"]),
            ],
        },
    )

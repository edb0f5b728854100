"""The search space: the values that each setting may take in a search."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras_tuner


def space(names: tuple[str, ...]) -> keras_tuner.HyperParameters:
    """Return the values that each searched setting may take.

    Fractions are listed one by one: a range with a step, such as Keras Tuner's ``Float(0, 0.5, step=0.1)``, adds up
    rounding errors, so it may miss its largest value, and has values such as 0.30000000000000004.

    Args:
        names: Names of training settings, some of `lumbar.runs.settings.SEARCHED`.
    """
    import keras_tuner

    parameters = keras_tuner.HyperParameters()
    offered = {
        "model": lambda name: parameters.Choice(name, ["baseline", "heatmap"]),
        "depth": lambda name: parameters.Int(name, 3, 5),
        "width": lambda name: parameters.Choice(name, [8, 12, 16, 24]),
        "activation": lambda name: parameters.Choice(name, ["relu", "gelu", "silu"]),
        "dropout": lambda name: parameters.Choice(name, [0.0, 0.1, 0.2, 0.3, 0.4, 0.5]),
        "batch_norm": lambda name: parameters.Boolean(name),
        "learning_rate": lambda name: parameters.Float(name, 1e-4, 1e-2, sampling="log"),
        "augmentation": lambda name: parameters.Choice(name, [0.0, 0.5, 1.0, 1.5]),
    }
    for name in names:
        offered[name](name)
    return parameters


def combinations(parameters: keras_tuner.HyperParameters) -> list[dict[str, Any]] | None:
    """Return every combination of the values of a search space; None if one of its settings varies continuously."""
    if any(getattr(parameter, "step", 1) is None for parameter in parameters.space):
        return None
    names = [parameter.name for parameter in parameters.space]
    each = itertools.product(*(parameter.values for parameter in parameters.space))
    return [dict(zip(names, values, strict=True)) for values in each]

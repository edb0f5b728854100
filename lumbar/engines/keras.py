"""Run a network in Keras, on the backend that it uses here."""

from __future__ import annotations

from pathlib import Path
from threading import Lock

import numpy as np

from lumbar.engines.network import Network
from lumbar.weights import folding, safe_loading


def start(file: Path) -> Network:
    """Load a network, see `lumbar.engines.start`."""
    from lumbar import models  # Keras starts here
    from lumbar.core.backend import keras

    model = folding.fold_for_inference(safe_loading.load(file))
    has_heatmaps = len(model.output_shape) == 4
    about = {"may_be_absent": models.knows_absent(model), "points": models.point_names(model)}
    if has_heatmaps:
        model = models.heatmaps(model)

    alone = Lock()  # Keras does not promise that a model may be asked by two threads at once

    def answer(images: np.ndarray) -> np.ndarray:
        with alone:
            found = keras.ops.convert_to_numpy(model.predict_on_batch(images[..., np.newaxis]))
        return np.moveaxis(found, -1, 1) if has_heatmaps else found

    count = model.output_shape[-1 if has_heatmaps else 1]
    return Network(answer, count=count, has_heatmaps=has_heatmaps, **about)

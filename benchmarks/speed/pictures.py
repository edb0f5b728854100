"""Images to measure speed with: noise, because networks and augmentation take the same time for any image."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from lumbar.preprocess import Prepared


def prepared(count: int, channels: int = 5) -> Prepared:
    """Return noise in place of `count` sagittal images, with points in plausible places."""
    import pandas as pd

    from lumbar.core.constants import LEVELS
    from lumbar.preprocess import Prepared

    rng = np.random.default_rng(0)
    names = (*LEVELS, "left", "right")[:channels]
    return Prepared(
        images=rng.integers(0, 256, (count, 256, 256), dtype=np.uint8),
        index=pd.DataFrame({"view": ["sagittal"] * count}),
        to_native=np.tile(np.eye(2, 3), (count, 1, 1)),
        points=rng.uniform(60, 200, (count, channels, 2)),
        channels=names,
    )


def batches(count: int, batch_size: int):
    """Return batches of noise as a training takes them: shuffled and augmented."""
    from lumbar.augment import AugmentSettings
    from lumbar.batches import Batches

    return Batches(prepared(count), batch_size, shuffle=True, augment=AugmentSettings())

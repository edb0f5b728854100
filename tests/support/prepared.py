"""A small prepared set made by hand, for the rooms that come after preprocessing."""

from collections.abc import Callable, Iterator

import cv2
import numpy as np
import pandas as pd

from lumbar import landmarks
from lumbar.geometry import SIZE
from lumbar.inference import NetworkAnswer
from lumbar.preprocess import Prepared


def answered(points, probability=0.9, absent=np.nan, miscounted=np.nan) -> NetworkAnswer:
    """What a network answers that finds these points, (N, K, 2); the other numbers may be the same for all of them."""
    points = np.asarray(points, float)
    each = (np.broadcast_to(np.asarray(number, float), points.shape[:2]).copy() for number in (probability, absent))
    counted = np.broadcast_to(np.asarray(miscounted, float), (len(points), 2)).copy()
    return NetworkAnswer(points, *each, counted, np.full((len(points), 2, 2), np.nan))


def in_turn(answer: Callable[[Prepared], NetworkAnswer]) -> Callable[..., Iterator[NetworkAnswer]]:
    """Return what may stand for `lumbar.inference.answers`: each part gets this answer, whatever the network."""
    return lambda network, parts, engine: map(answer, parts)


def spots(count: int = 12, *, views: tuple[str, ...] = ("sagittal",), seed: int = 0) -> Prepared:
    """Pictures with a bright spot at each point: what a network could learn at a glance."""
    rng = np.random.default_rng(seed)
    channels = landmarks.channels(views)
    points = np.empty((count, len(channels), 2))
    images = np.zeros((count, SIZE, SIZE), np.uint8)
    for picture in range(count):
        points[picture, :, 0] = rng.uniform(100, 156) + rng.normal(0, 4, len(channels))
        points[picture, :, 1] = rng.uniform(60, 90) + np.arange(len(channels)) * rng.uniform(24, 32)
        for x, y in points[picture]:
            cv2.circle(images[picture], (round(x * 16), round(y * 16)), 5 * 16, 255, -1, cv2.LINE_AA, 4)
    index = pd.DataFrame(
        {
            "image": [f"{number}.png" for number in range(count)],
            "patient": [f"patient-{number}" for number in range(count)],
            "source": "spots",
            "view": views[0],
            "contrast": "T2",
            "level": "",
            "width": SIZE,
            "height": SIZE,
            "pixel_width": 1.0,
            "pixel_height": 1.0,
        }
    )
    return Prepared(images, index, np.tile(np.eye(2, 3), (count, 1, 1)), points, channels)

"""Occlusion sensitivity: cover a part of an image, ask the network again, and note what has changed.

The method is that of Zeiler and Fergus, "Visualizing and understanding convolutional networks", ECCV 2014. It explains
a network, and not the anatomy: a map shows what the answer rests on, whether the answer is right or wrong. The network
has never seen an image with a patch on it, so that the map also depends on the patch, its size and its grey.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from lumbar.geometry import SIZE
from lumbar.inference import predict_with_probability
from lumbar.preprocess import Prepared


@dataclass(frozen=True, eq=False)
class Occlusion:
    """What covering an image with a patch, once at each of n × n places, does to its K points.

    Args:
        x: (n,) centres of the patch from left to right, pixels of the 256 frame.
        y: (n,) the same from the top down.
        moved: (n, n, K), how far each point moves, pixels of the 256 frame; by row and column of the patch.
        lost: (n, n, K), by how much the probability of each point falls, see `lumbar.inference.NetworkAnswer`;
            negative where it rises.
    """

    x: np.ndarray
    y: np.ndarray
    moved: np.ndarray
    lost: np.ndarray

    def hottest(self, point: int) -> tuple[np.ndarray, float]:
        """Return where the patch costs a point the most probability: (x, y), pixels of the 256 frame, and how much."""
        lost = self.lost[..., point]
        row, column = np.unravel_index(lost.argmax(), lost.shape)
        return np.array([self.x[column], self.y[row]]), float(lost.max())


def occlude(image: np.ndarray, x: float, y: float, size: int, grey: int) -> np.ndarray:
    """Return a copy of an image with a grey square on it.

    Args:
        image: uint8 (256, 256).
        x: Column of the square's centre, pixels of the 256 frame; parts outside the image are left out.
        y: Row of its centre.
        size: Side of the square, pixels.
        grey: Its grey value, 0 to 255.
    """
    left, top = (max(round(centre - (size - 1) / 2), 0) for centre in (x, y))
    right, bottom = (max(round(centre - (size - 1) / 2) + size, 0) for centre in (x, y))
    covered = image.copy()
    covered[top:bottom, left:right] = grey
    return covered


def occlusion(network: Path, part: Prepared, number: int, *, size: int, step: int, grey: int) -> Occlusion:
    """Slide a grey square over an image, and compare the network's answers with the one to the whole image.

    Args:
        network: The .keras or .onnx file.
        part: Prepared images.
        number: Which of them, from 0.
        size: Side of the square, pixels of the 256 frame.
        step: Distance between two of its places, pixels of the 256 frame.
        grey: Its grey value, 0 to 255.

    Raises:
        WeightsError: See `lumbar.inference.predict_with_probability`.
        RunError: See there.
    """
    centres = np.arange(step / 2 - 0.5, SIZE, step)
    image = part.images[number]
    images = [image] + [occlude(image, x, y, size, grey) for y in centres for x in centres]
    repeated = replace(part.select(np.full(len(images), number)), images=np.array(images))
    answer = predict_with_probability(network, repeated, progress=False)
    moved = np.linalg.norm(answer.points[1:] - answer.points[0], axis=-1)
    lost = answer.probability[0] - answer.probability[1:]
    shape = (len(centres), len(centres), -1)
    return Occlusion(centres, centres, moved.reshape(shape), lost.reshape(shape))

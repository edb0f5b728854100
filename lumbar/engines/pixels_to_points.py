"""A network with all that surrounds it as one ONNX file: the pixels of an image go in, its points come out.

Any program with a runtime for ONNX can use the file; it needs none of our code. The file windows the image and resizes
it to the 256 frame, asks the network, decodes the heatmaps, calibrates and flags, and gives points in the image's own
pixels. Decoding, calibration and flags are the functions that `lumbar.inference` uses, traced by ndonnx. Preparation is
written anew: OpenCV's functions cannot be traced. The points differ by less than 0.05 pixels of the 256 frame, but for
images whose count is a toss-up and flagged: there a grey level may tip it.

What it cannot do is what only the image's file can say: how the image lies, what was measured (an image of another kind
than the network was trained on is not flagged), and which pixels are padding.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from lumbar import landmarks
from lumbar.core import extras
from lumbar.core.constants import LEVELS, NEIGHBOURS, VIEWS
from lumbar.decoding import NEAR_PIXELS, Decoded, decode, doubts, without_heatmaps
from lumbar.geometry import SIZE
from lumbar.metrics import belongs
from lumbar.preprocess import PreprocessSettings
from lumbar.storage.files import atomic_write
from lumbar.weights import Weights, onnx_file

LARGEST_REACH = 256
"""Largest reach of the Gaussian before an image is shrunk, pixels: enough for images of 40,000 pixels."""

TAKES = {
    "pixels": "float32 (height, width): an image as its plane is usually shown, sagittal ones facing left, coronal "
    "ones seen from the front, axial ones from the feet; larger numbers are brighter",
    "view": f"int64, the image's plane: {', '.join(f'{number} is {view}' for number, view in enumerate(VIEWS))}",
    "pixel_size": "float32 (2,): width and height of a pixel in any unit, (1, 1) if unknown; only networks that "
    "were trained on letterboxed images have this input",
}
"""The inputs, in words."""

GIVES = {
    "points": "float32 (points, 2): x and y in pixels of the image, the centre of the first is (0, 0); NaN for a point "
    "that is probably not in the image, or that images of this plane do not have",
    "confidence": f"float32 (points,): the probability that a point is within {NEAR_PIXELS:g} pixels of the true one, "
    "in the image resized to 256 × 256; NaN where there is no point, or if the network cannot tell",
    "probability": "float32 (points,): the confidence before calibration, also of points that are probably absent; NaN "
    "if the network cannot tell",
    "absent": "float32 (points,): the probability that a point is not in the image; NaN if the network cannot tell",
    "miscounted": "float32 (2,): the probability that all levels lie one disc higher, and one lower; NaN if unknown",
    "neighbours": f"float32 (2, 2): x and y of the discs {' and '.join(NEIGHBOURS)}, as in points; NaN if unknown",
    "flagged": "bool: whether the points need checking before they are used",
}
"""The outputs, in words."""

OF_THE_NETWORK = ("input", "output", "preparation", "frame", "answer", "may_be_absent", "points")
"""What the file of the network alone says, and this one does not."""


def write(network: Weights, source: Path, file: Path) -> None:
    """Write the file.

    Args:
        network: What is known about the network.
        source: The network as an ONNX file, see `lumbar.weights.onnx_graph`.
        file: The file to write.

    Raises:
        SettingsError: If ndonnx is not installed.
        OutputError: If the file cannot be written.
    """
    extras.require("graph", "write pixels-to-points files")
    import ndonnx as ndx
    import onnx
    import spox

    about = onnx_file.check(source)
    channels = landmarks.channels(network.views)
    inputs = {
        "pixels": ndx.argument(shape=("height", "width"), dtype=ndx.float32),
        "view": ndx.argument(shape=(), dtype=ndx.int64),
    }
    if network.resize != "stretch":
        inputs["pixel_size"] = ndx.argument(shape=(2,), dtype=ndx.float32)
    scale, shift, image = _prepared(inputs["pixels"], inputs.get("pixel_size"))
    (answer,) = spox.inline(onnx.load(source))(ndx.astype(image, ndx.float32).unwrap_spox()).values()
    views = ndx.reshape(inputs["view"], (1,))
    found, neighbours = _decoded(ndx.asarray(answer), views, about, channels)
    outputs = _judged(network, found, neighbours, views, channels)
    for name in ("points", "neighbours"):
        outputs[name] = (outputs[name] - shift) / scale
    real = {name: ndx.astype(each, ndx.float32) for name, each in outputs.items() if name != "flagged"}
    model = ndx.build(inputs, {name: (outputs | real)[name] for name in GIVES})
    known = {name: value for name, value in about.items() if name not in OF_THE_NETWORK}
    known |= {name: TAKES[name] for name in inputs} | GIVES | {"names": channels}
    model.producer_name = "lumbar"
    onnx.helper.set_model_props(model, {onnx_file.META: json.dumps(known, ensure_ascii=False)})
    onnx.checker.check_model(model, full_check=True)
    with atomic_write(file) as temporary:
        onnx.save(model, temporary)


def _prepared(pixels: Any, pixel_size: Any) -> tuple[Any, Any, Any]:
    """Prepare an image as `lumbar.preprocess.prepare_scan` does.

    Args:
        pixels: (height, width).
        pixel_size: (2,), width and height of a pixel; None to stretch the image.

    Returns:
        Scale (2,) and shift (2,) of the map from the image's pixels to the 256 frame, and the prepared image, float64
        (1, 1, 256, 256), from 0 to 1.
    """
    xp = pixels.__array_namespace__()
    pixels = xp.astype(pixels, xp.float64)
    columns, rows = xp.ones_like(pixels[0, :]), xp.ones_like(pixels[:, 0])
    sides = xp.stack([xp.sum(columns), xp.sum(rows)])
    if pixel_size is None:
        scale = SIZE / sides
    else:
        pixel_size = xp.astype(pixel_size, xp.float64)
        scale = pixel_size * SIZE / xp.max(sides * pixel_size)
    shift = (SIZE - 1 - scale * (sides - 1)) / 2
    blur = 0.5 * xp.sqrt(xp.maximum(1 / scale**2 - 1, 0.0))
    blur = xp.where(xp.max(blur) > 0.3, xp.maximum(blur, 1e-3), 1e-3)
    (columns, right_share), (rows, lower_share) = (
        _around(xp.cumulative_sum(ones) - 1, axis, sides[axis], scale[axis], shift[axis], blur[axis])
        for axis, ones in enumerate((columns, rows))
    )
    # Rounded after each step, as OpenCV does with whole numbers.
    sampled = xp.round(xp.matmul(xp.matmul(rows, _windowed(pixels)), columns))
    sampled = (1 - right_share) * sampled[:, :SIZE] + right_share * sampled[:, SIZE:]
    image = xp.round((1 - lower_share)[:, None] * sampled[:SIZE, :] + lower_share[:, None] * sampled[SIZE:, :])
    return scale, shift, xp.reshape(image, (1, 1, SIZE, SIZE)) / 255


def _windowed(pixels: Any) -> Any:
    """Map the signal between two percentiles to 0…255, see `lumbar.preprocess.windowed`."""
    xp = pixels.__array_namespace__()
    settings = PreprocessSettings()
    values = xp.sort(xp.reshape(pixels, (-1,)))
    last = xp.sum(xp.ones_like(values)) - 1
    position = xp.asarray(np.array([settings.low, settings.high]) / 100) * last
    before = xp.floor(position)
    below, above = (xp.take(values, xp.astype(which, xp.int64)) for which in (before, xp.minimum(before + 1, last)))
    edges = below + (above - below) * (position - before)
    width = edges[1] - edges[0]
    scaled = (pixels - edges[0]) * (255 / xp.where(width > 0, width, 1.0))
    return xp.floor(xp.clip(scaled, 0.0, 255.0))


def _around(pixels: Any, axis: int, length: Any, scale: Any, shift: Any, blur: Any) -> tuple[Any, Any]:
    """Return what the 256 frame needs of a line of pixels to resample it, as `lumbar.geometry.Affine.image` does.

    Args:
        pixels: (n,), their numbers, from 0.
        axis: Of the matrix, along which these pixels lie: 0 for columns, 1 for rows of the image.
        length: How many there are.
        scale: Of the map to the 256 frame.
        shift: Of that map.
        blur: Standard deviation of the Gaussian that is applied first.

    Returns:
        (n, 512) or (512, n), a matrix that blurs the line and takes of it the two pixels around the place of each pixel
        of the frame, first all those before the place and then all those after it; and (256,), the share of the latter.
    """
    xp = pixels.__array_namespace__()
    place = (xp.asarray(np.arange(SIZE, dtype=np.float64)) - shift) / scale
    before = xp.floor(place)
    centre = xp.expand_dims(xp.concat([before, before + 1]), axis=axis)
    pixels = xp.expand_dims(pixels, axis=1 - axis)
    reach = xp.ceil(3 * blur)
    offsets = xp.asarray(np.arange(-LARGEST_REACH, LARGEST_REACH + 1, dtype=np.float64))
    total = xp.sum(xp.where(abs(offsets) <= reach, xp.exp(-0.5 * (offsets / blur) ** 2), 0.0))
    away = pixels - centre
    weights = xp.where(abs(away) <= reach, xp.exp(-0.5 * (away / blur) ** 2), 0.0) / total
    # What the Gaussian would take from beyond an edge, it takes from the pixel at the edge.
    nearest_edge = xp.where(centre < length / 2, 0.0, length - 1)
    weights = weights + xp.where(pixels == nearest_edge, 1 - xp.sum(weights, axis=axis, keepdims=True), 0.0)
    return xp.where((centre >= 0) & (centre < length), weights, 0.0), place - before


def _decoded(answer: Any, views: Any, about: dict[str, Any], channels: tuple[str, ...]) -> tuple[Decoded, Any]:
    """Decode what the network answers.

    Returns:
        Those of its points that are answered, in the order of `channels`; and the neighbouring discs, (1, 2, 2).
    """
    xp = answer.__array_namespace__()
    names = tuple(about["points"])
    answer = xp.reshape(answer, (1, *answer.shape[1:]))  # one image: all sides are known
    if about["answer"] == onnx_file.ANSWERS[0]:
        found = decode(answer, views, names, may_be_absent=about["may_be_absent"])
    else:
        found = without_heatmaps(answer)
    order = xp.asarray(np.array([names.index(name) for name in channels]))
    answered = Decoded(*(xp.take(each, order, axis=1) for each in found[:3]), found.miscounted)
    if not set(NEIGHBOURS) <= set(names):
        return answered, found.points[:, :2, :] * np.nan
    around = xp.asarray(np.array([names.index(name) for name in NEIGHBOURS]))
    points, absent = (xp.take(each, around, axis=1) for each in (found.points, found.absent))
    return answered, xp.where((absent > 0.5)[..., None], np.nan, points)


def _judged(network: Weights, found: Decoded, neighbours: Any, views: Any, channels: tuple[str, ...]) -> dict[str, Any]:
    """Return what the file gives, as `lumbar.inference.find_points` judges it; the points in the 256 frame."""
    xp = found.points.__array_namespace__()
    here = xp.take(xp.asarray(belongs(VIEWS, channels)), views, axis=0)[0, ...]
    points, probability, absent = (each[0, ...] for each in found[:3])
    shown = here & ~(absent > 0.5)
    points = xp.where(shown[:, None], points, np.nan)
    confidence = xp.where(shown, network.confidence(probability), np.nan)
    miscounted = network.miscounted(found.miscounted)[0, ...]
    unsure = here & ((confidence < network.doubtful) | doubts.undecided(absent) | xp.isnan(probability))
    flagged = xp.any(unsure) | doubts.doubtful_count(miscounted)
    if set(LEVELS) <= set(channels):
        levels = xp.take(points, xp.asarray(np.array([channels.index(level) for level in LEVELS])), axis=0)
        flagged = flagged | xp.any(doubts.uneven(doubts.gap_shares(levels)))
    return {
        "points": points,
        "confidence": confidence,
        "probability": xp.where(here, probability, np.nan),
        "absent": xp.where(here, absent, np.nan),
        "miscounted": miscounted,
        "neighbours": xp.where(views == VIEWS.index("axial"), np.nan, neighbours[0, ...]),
        "flagged": flagged,
    }

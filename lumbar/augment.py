"""Augmentation: random changes of a prepared image that move its points along with the pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from lumbar.core.schema import setting
from lumbar.geometry import SIZE, Affine
from lumbar.landmarks import SIDES

_GRAIN = np.random.default_rng(0).standard_normal((2 * SIZE, 2 * SIZE), dtype=np.float32)
"""Noise of which each image gets a random crop: fresh noise for each would take as long as all other changes."""


@dataclass(frozen=True)
class AugmentSettings:
    """How far an image may be changed; every amount is scaled by `strength`, and strength 0 changes nothing.

    Mirroring is off by default. By convention sagittal images show the patient facing left, coronal ones are seen from
    the front and axial ones from the feet, so a network never meets a mirrored image.
    """

    strength: float = setting(1.0, "scales every amount below; 0 turns augmentation off", at_least=0)
    shift: float = setting(12.0, "largest shift along each axis, pixels", at_least=0)
    rotation: float = setting(8.0, "largest rotation, degrees", at_least=0)
    scale: float = setting(0.12, "largest change of size, as a fraction", at_least=0)
    stretch: float = setting(0.08, "largest change of proportions, as a fraction", at_least=0)
    elastic: float = setting(1.5, "typical elastic displacement, pixels", at_least=0)
    flip: float = setting(0.0, "probability of mirroring left and right (axial points swap sides)", at_least=0)
    field_of_view: float = setting(
        0.0, "probability of another field of view: the image is shown nearer and cut off, or farther away", at_least=0
    )
    brightness: float = setting(0.1, "largest shift of brightness, as a fraction of the range", at_least=0)
    contrast: float = setting(0.2, "largest change of contrast, as a fraction", at_least=0)
    gamma: float = setting(0.3, "largest change of gamma, natural logarithm", at_least=0)
    contrast_remap: float = setting(
        0.0, "probability of a random contrast remapping, which imitates an unseen contrast", at_least=0
    )
    bias: float = setting(0.25, "largest slow change of brightness across the image, as a fraction", at_least=0)
    blur: float = setting(0.8, "largest blur, standard deviation in pixels", at_least=0)
    noise: float = setting(0.04, "largest noise, standard deviation as a fraction of the range", at_least=0)


def augment(
    image: np.ndarray,
    points: np.ndarray,
    rng: np.random.Generator,
    settings: AugmentSettings = AugmentSettings(),
    channels: Sequence[str] = (),
    *,
    keep_outside: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Change an image and its points at random: move both together, then change the grey values of the image.

    Args:
        image: uint8, (256, 256).
        points: (K, 2), pixels of the 256 frame; NaN where missing.
        rng: Random number generator; the same state gives the same result.
        settings: How far the image may be changed.
        channels: Names of the K points; a flip needs them to swap the patient's sides.
        keep_outside: Whether a point that left the image keeps its coordinates; otherwise it becomes NaN.

    Returns:
        Image and points in the same form.
    """
    if settings.strength == 0:
        return image, points
    image, points = _move(image, points, rng, settings, channels)
    image = _change_greys(image, rng, settings)
    outside = ((points < -0.5) | (points > SIZE - 0.5)).any(axis=-1)
    return image, points if keep_outside else np.where(outside[:, None], np.nan, points)


def _move(image, points, rng, settings, channels):
    """Apply one affine map for shift, rotation, scale, proportions and mirroring, and an elastic deformation."""
    amount = settings.strength
    middle = ((SIZE - 1) / 2, (SIZE - 1) / 2)
    scale = np.exp(rng.uniform(-1, 1) * np.log1p(settings.scale * amount))
    stretch = np.exp(rng.uniform(-0.5, 0.5) * np.log1p(settings.stretch * amount))
    change = (
        Affine.scaling(scale * stretch, scale / stretch, about=middle)
        .then(Affine.rotation(rng.uniform(-1, 1) * settings.rotation * amount, about=middle))
        .then(Affine.translation(*rng.uniform(-1, 1, 2) * settings.shift * amount))
    )
    # The other amounts do not depend on this one: without it the generator is not asked.
    if settings.field_of_view and rng.random() < settings.field_of_view * min(amount, 1):
        change = _another_field_of_view(rng).then(change)
    if rng.random() < settings.flip * min(amount, 1):
        change = Affine.flip_horizontal(SIZE).then(change)
        if set(SIDES) <= set(channels):
            order = list(range(len(channels)))
            left, right = (list(channels).index(side) for side in SIDES)
            order[left], order[right] = right, left
            points = points[order]
    if settings.elastic == 0:
        return change.image(image), change.points(points)
    field = _smooth_field(rng, settings.elastic * amount)
    back = change.inverse().matrix.astype(np.float32)
    columns, rows = np.meshgrid(np.arange(SIZE, dtype=np.float32), np.arange(SIZE, dtype=np.float32))
    columns, rows = columns + field[..., 0], rows + field[..., 1]
    source = [back[axis, 0] * columns + back[axis, 1] * rows + back[axis, 2] for axis in (0, 1)]
    moved = cv2.remap(image, source[0], source[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    return moved, _undo_displacement(change.points(points), field)


NEAREST, FARTHEST = 0.35, 1.5
"""Sides of the window that another field of view shows, as shares of the image's side. The nearest shows the height of
two levels; in the farthest, the whole image takes two thirds of the new one's width and height."""

PROPORTIONS = 2.5
"""Largest ratio of the window's sides, whichever is longer. A network that had seen no more than 1.4 called the levels
of a narrow strip, stretched to the square, absent."""


def _another_field_of_view(rng):
    """Return the map that shows a random window: a part of the image enlarged, or the whole image in a larger frame."""
    height = np.exp(rng.uniform(np.log(NEAREST), np.log(FARTHEST)))
    width = np.clip(height * PROPORTIONS ** rng.uniform(-1, 1), NEAREST, FARTHEST)
    sides = np.array([width, height]) * SIZE
    # A window lies in the image if it is smaller, and the image in the window if it is larger.
    corner = rng.uniform(0, 1, 2) * (SIZE - sides)
    return Affine.translation(*-corner).then(Affine.stretch(*sides))


def _smooth_field(rng, size):
    """Return displacements (256, 256, 2) in pixels, standard deviation about `size`, smooth over some forty pixels."""
    coarse = rng.normal(0, size, (7, 7, 2)).astype(np.float32)
    return cv2.resize(coarse, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC)


def _undo_displacement(points, field):
    """Return where points lie in an image that was sampled at ``pixel + field[pixel]``: solve p + field(p) = point."""
    guess = points.copy()
    for _ in range(8):  # the field changes by far less than a pixel per pixel: this converges fast
        there = cv2.remap(
            field,
            guess[None].astype(np.float32)[..., 0],
            guess[None].astype(np.float32)[..., 1],
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )[0]
        guess = points - there
    return np.where(np.isnan(points), np.nan, guess)


def _change_greys(image, rng, settings):
    """Apply gamma, contrast, brightness and contrast remapping in one lookup table; then bias field, blur and noise."""
    amount = settings.strength
    brightness, contrast, gamma, blur, noise = rng.uniform((-1, -1, -1, 0, 0), 1)
    values = np.linspace(0, 1, 256) ** np.exp(gamma * settings.gamma * amount)
    values = (values - 0.5) * (1 + contrast * settings.contrast * amount) + 0.5
    values += brightness * settings.brightness * amount
    if settings.contrast_remap and rng.random() < settings.contrast_remap * min(amount, 1):
        values = _remap_contrast(values, rng)
    shaded = cv2.LUT(image, np.clip(values, 0, 1).astype(np.float32) * 255)
    if settings.bias:
        coarse = rng.uniform(-1, 1, (3, 3)).astype(np.float32) * settings.bias * amount
        shaded *= 1 + cv2.resize(coarse, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC)
    if blur * settings.blur * amount > 0.3:
        shaded = cv2.GaussianBlur(shaded, (5, 5), blur * settings.blur * amount)
    if settings.noise:
        top, left = rng.integers(0, SIZE, 2, endpoint=True)
        crop = _GRAIN[top : top + SIZE, left : left + SIZE]
        shaded += crop * np.float32(noise * settings.noise * amount * 255)
    return np.clip(shaded, 0, 255, out=shaded).astype(np.uint8)


def _remap_contrast(values, rng):
    """Give each grey value another at random: bright tissue may become dark, but air stays the darkest."""
    greys = np.concatenate([rng.uniform(0, 0.1, 1), rng.uniform(0.1, 1, 5)])
    return np.interp(values, np.linspace(0, 1, len(greys)), greys)

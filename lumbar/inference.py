"""Run a trained network on prepared images: from images to points, probabilities, confidences and flags.

Evaluation, cross-validation, prediction and the study all ask networks through this module. `find_points` takes scans
through all of it, from a prepared image to a flag; `predict_with_probability` stops at the 256 frame.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tqdm.auto import tqdm, trange

from lumbar import engines, landmarks, metrics
from lumbar.compute.processes import keep_ahead
from lumbar.core.constants import ENGINES, NEIGHBOURS, VIEWS
from lumbar.core.errors import RunError
from lumbar.decoding import Decoded, decode, without_heatmaps
from lumbar.decoding.doubts import Count, count_of, undecided, uneven_gaps
from lumbar.geometry import Affine
from lumbar.imaging.scan import Scan
from lumbar.preprocess import Prepared, PreprocessSettings, prepare_scan, unlabelled
from lumbar.weights import Weights

BATCH_SIZE = 16
"""Images given to the network at once. The answers do not depend on it; with more images the activations between two
layers no longer fit into the processor's caches."""

DECODED_AT_ONCE = 4
"""Images whose heatmaps are decoded at once; those of more do not fit into the caches either."""

UNJUDGED = "The network gives no confidence to judge its points by: check all of them before you use them."
"""Notice that goes with the points of a network without heatmaps."""


class NetworkAnswer(NamedTuple):
    """What a network answers for N images with K points each; see `lumbar.decoding.Decoded`.

    Args:
        points: float64 (N, K, 2), pixels of the 256 frame.
        probability: (N, K), that a point is near the true one; NaN from a network that answers with coordinates.
        absent: (N, K), that a point is not in the image; NaN from a network that cannot tell.
        miscounted: (N, 2), that all levels lie one disc higher, and one lower, see `lumbar.decoding.Decoded`.
        neighbours: (N, 2, 2), where T12/L1 and S1/S2 lie, pixels of the 256 frame; NaN for one that is probably absent,
            and from a network that does not know them.
    """

    points: np.ndarray
    probability: np.ndarray
    absent: np.ndarray
    miscounted: np.ndarray
    neighbours: np.ndarray


def predict_points(network: Path, part: Prepared, *, progress: bool = True) -> np.ndarray:
    """Return a saved network's points, see `predict_with_probability`; float64 (N, K, 2) pixels of the 256 frame."""
    return predict_with_probability(network, part, progress=progress).points


def predict_with_probability(
    network: Path, part: Prepared, *, engine: str = ENGINES[0], progress: bool = True
) -> NetworkAnswer:
    """Return a saved network's points, and how likely each is to be near the true one, or absent.

    Args:
        network: The .keras or .onnx file; it may hold nothing but the parts of our networks (none of its code is run).
        part: N prepared images.
        engine: What runs the network, one of `lumbar.core.constants.ENGINES`.
        progress: Show a progress bar.

    Raises:
        WeightsError: If the file is not a network of ours.
        RunError: If the network answers with other landmarks than the images have, or with something not a number.
    """
    begins = trange(0, len(part.images), BATCH_SIZE, desc="predicting", unit="batch", disable=not progress)
    few = (part.select(np.arange(begin, min(begin + BATCH_SIZE, len(part.images)))) for begin in begins)
    return _joined(answers(network, few, engine=engine))


def answers(network: Path, parts: Iterable[Prepared], *, engine: str) -> Iterator[NetworkAnswer]:
    """Yield a saved network's answer for each of several parts, ideally of `BATCH_SIZE` images each.

    The network runs in a second thread, while the previous answer is decoded and the next part is prepared.

    Raises:
        WeightsError: See `predict_with_probability`.
        RunError: See there.
    """
    started = engines.start(network, engine)
    other_thread = ThreadPoolExecutor(1)

    def asked() -> Iterator[tuple[Prepared, Future[np.ndarray]]]:
        for part in parts:
            _check_landmarks(network, started, part.channels)
            yield part, other_thread.submit(started.answer, part.images * np.float32(1 / 255))

    try:
        for part, answer in keep_ahead(asked(), 2):
            if not np.isfinite(answer.result()).all():
                raise RunError(
                    "the network answers with something that is not a number",
                    file=network,
                    remedy="its training diverged: train anew with a smaller learning rate",
                )
            names = started.points or part.channels
            yield _in_order(_decoded(started, answer.result(), part.index["view"], names), names, part.channels)
    finally:
        other_thread.shutdown(cancel_futures=True)


def _check_landmarks(network: Path, started: engines.Network, channels: tuple[str, ...]) -> None:
    names = started.points or channels
    if started.count != len(names) or not set(channels) <= set(names) <= {*channels, *NEIGHBOURS}:
        raise RunError(
            "the network answers with other landmarks than these pictures have",
            file=network,
            found=started.count,
            expected=f"{len(channels)}: {', '.join(channels)}",
        )


def _decoded(started: engines.Network, answer: np.ndarray, views: Sequence[str], names: tuple[str, ...]) -> Decoded:
    if not started.has_heatmaps:
        return without_heatmaps(answer)
    numbers = np.array([VIEWS.index(view) for view in views])
    few = [slice(begin, begin + DECODED_AT_ONCE) for begin in range(0, len(answer), DECODED_AT_ONCE)]
    found = (decode(answer[each], numbers[each], names, may_be_absent=started.may_be_absent) for each in few)
    return Decoded(*(np.concatenate(each) for each in zip(*found, strict=True)))


def _in_order(found: Decoded, names: tuple[str, ...], channels: tuple[str, ...]) -> NetworkAnswer:
    """Return the points that are asked for, in their order, and the neighbouring discs."""
    neighbours = np.full((len(found.points), len(NEIGHBOURS), 2), np.nan)
    for place, name in enumerate(NEIGHBOURS):
        if name in names:
            which = names.index(name)
            neighbours[:, place] = np.where(found.absent[:, which, None] > 0.5, np.nan, found.points[:, which])
    order = [names.index(name) for name in channels]
    points, probability, absent = (each[:, order] for each in found[:3])
    return NetworkAnswer(points, probability, absent, found.miscounted, neighbours)


def _joined(found: Iterable[NetworkAnswer]) -> NetworkAnswer:
    return NetworkAnswer(*(np.concatenate(each) for each in zip(*found, strict=True)))


@dataclass(frozen=True, eq=False)
class PreparedScan:
    """A scan as a network sees it.

    Args:
        image: uint8, (256, 256).
        view: Its plane, one of `lumbar.core.constants.VIEWS`.
        to_256: Map from the scan's native pixels to the 256 frame.
        modality: As its file states it; "" if it does not.
    """

    image: np.ndarray
    view: str
    to_256: Affine
    modality: str

    @classmethod
    def of(cls, scan: Scan, view: str, network: Weights) -> PreparedScan:
        """Prepare a scan as the images were prepared that the network was trained on."""
        image, to_256 = prepare_scan(scan, PreprocessSettings(resize=network.resize))
        return cls(image, view, to_256, scan.identity.get("modality", ""))


@dataclass(frozen=True, eq=False)
class ScanPoints:
    """The points that a network found in one scan.

    Args:
        names: Names of the k points that belong to the scan's view: levels, or the sides of an axial image.
        xy_native: (k, 2) native pixels, the centre of the first is (0, 0); NaN for a point that is probably absent.
        confidence: (k,) calibrated probability that a point is within `lumbar.decoding.NEAR_PIXELS` of the true one;
            NaN for a point that is probably absent, and from a network without heatmaps.
        probability: (k,) the same before calibration, as the heatmaps have it.
        absent: (k,) the probability that a point is not in the image; NaN from a network that cannot tell.
        flagged: Whether the points need checking: a confidence is low, or there are `doubts`; None if there are none
            and the network has no heatmaps, and so no confidence to judge by.
        doubts: What speaks against the points whatever the confidence: levels that lie unevenly (see
            `lumbar.decoding.doubts.uneven_gaps`) or may be miscounted, or a kind of imaging that the network was not
            trained on.
        count: How sure it is which disc is which; None for an axial image, and where the network cannot tell.
    """

    names: tuple[str, ...]
    xy_native: np.ndarray
    confidence: np.ndarray
    probability: np.ndarray
    absent: np.ndarray
    flagged: bool | None
    doubts: tuple[str, ...] = ()
    count: Count | None = None


@dataclass(frozen=True, eq=False)
class Answers:
    """A network's answers for several scans.

    Args:
        points: The points of each scan, in order.
        prepared: The N images as one.
        probability: (N, K), see `NetworkAnswer`.
    """

    points: tuple[ScanPoints, ...]
    prepared: Prepared
    probability: np.ndarray


def find_points(network: Weights, scans: Iterable[PreparedScan], *, progress: bool = True) -> Answers:
    """Find the points in prepared scans.

    Args:
        network: The trained network.
        scans: N of them, at least one. They may come from a generator that reads them on demand: the network then
            answers while the next ones are read.
        progress: Show a progress bar.

    Raises:
        RunError: If the network answers with something not a number.
    """
    channels = landmarks.channels(network.views)
    asked: list[PreparedScan] = []

    def parts() -> Iterator[Prepared]:
        coming = iter(tqdm(scans, "predicting", unit="picture", disable=not progress))
        while few := list(islice(coming, BATCH_SIZE)):
            asked.extend(few)
            yield _as_one(few, channels)

    answer = _joined(answers(network.file, parts(), engine=network.engine))
    prepared = _as_one(asked, channels)
    miscounted = network.miscounted(answer.miscounted)
    found = []
    for number, (scan, here) in enumerate(zip(asked, metrics.belongs(prepared.index["view"], channels), strict=True)):
        names = tuple(name for name, belongs in zip(channels, here, strict=True) if belongs)
        probability, absent = answer.probability[number, here], answer.absent[number, here]
        gone = absent > 0.5
        points = np.where(gone[:, None], np.nan, answer.points[number, here])
        confidence = np.where(gone, np.nan, network.confidence(probability))
        unsure = (confidence < network.doubtful) | undecided(absent)
        to_native = Affine(prepared.to_native[number])
        uneven, count = (), None
        if names == landmarks.LEVELS:
            uneven = uneven_gaps(points)
            count = count_of(to_native.points(points), to_native.points(answer.neighbours[number]), miscounted[number])
        doubts = (*network.unfamiliar(scan.modality), *uneven, *(count.doubts if count else ()))
        found.append(
            ScanPoints(
                names,
                xy_native=to_native.points(points),
                confidence=confidence,
                probability=probability,
                absent=absent,
                flagged=bool(doubts) or (None if np.isnan(probability).all() else bool(unsure.any())),
                doubts=doubts,
                count=count,
            )
        )
    return Answers(tuple(found), prepared, answer.probability)


def _as_one(scans: Sequence[PreparedScan], channels: tuple[str, ...]) -> Prepared:
    return unlabelled(
        [each.image for each in scans], [each.view for each in scans], [each.to_256 for each in scans], channels
    )

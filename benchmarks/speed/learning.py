"""Seconds of training until nearly all points of the synthetic validation patients are found."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

from benchmarks.speed.figure import Figure, Goal
from benchmarks.speed.plan import Plan, log
from benchmarks.speed.side import Unmeasured, once

GOAL_PCK = 0.95
"""Share of the validation patients' points that must lie within 5 pixels of the true ones."""

LONGEST = 300.0
"""Seconds after which our own training is stopped."""

EPOCHS = 12
"""Epochs of our learning-rate schedule, chosen beforehand; the rate has come down at its end."""

OTHERS = {"baseline": "baseline", "EfficientNetV2-S regression": "efficientnet"}


def measure(plan: Plan) -> Iterator[Figure]:
    """Yield a row for our network, and one for each network that it is compared with; each is trained once."""
    small = {"patients": 8} if plan.quick else {}
    try:
        own = once("learning:until", network="heatmap", budget=1.0 if plan.quick else LONGEST, **small)
    except Unmeasured as error:
        yield Figure(f"time to PCK@5 ≥ {GOAL_PCK}, heatmap", "s", note=str(error))
        return
    log(f"heatmap: {own}")
    what = f"time to PCK@5 ≥ {GOAL_PCK} on synthetic validation patients, heatmap"
    values, reached = (own["seconds"],), own["reached"]
    note = f"epoch {own['epochs']} of {EPOCHS}, PCK@5 {own['pck']:.3f}; compilation included"
    yield Figure(
        what, "s", values if reached else (), goal=Goal(most=90), limit="images per second, see training",
        note=note if reached else f"not reached: {note}", details=own,
    )  # fmt: skip
    for name, network in OTHERS.items():
        if plan.quick and network == "efficientnet":
            continue
        try:
            found = once(
                "learning:until", network=network, budget=1.0 if plan.quick else own["seconds"] * plan.patience, **small
            )
        except Unmeasured as error:
            yield Figure(what, "s", values, name, goal=Goal(20, of="ratio"), more_is_better=False, note=str(error))
            continue
        log(f"{name}: {found}")
        end = "reached" if found["reached"] else f"stopped after {plan.patience:g} times our time (--patience)"
        yield Figure(
            what, "s", values if reached else (), name, (found["seconds"],), more_is_better=False,
            goal=Goal(20, of="ratio"), bound="" if found["reached"] else "≥", details=found,
            note=f"{end}; its PCK@5 was {found['pck']:.3f} after {found['epochs']} epochs",
        )  # fmt: skip


def until(network: str, budget: float, patients: int = 320) -> Callable[[], dict[str, Any]]:
    """Prepare a training that stops at the goal or at the end of its budget; the clock stops while PCK is measured.

    Args:
        network: heatmap, baseline or efficientnet.
        budget: Seconds of training.
        patients: Number of synthetic patients; 70 % of them are trained on.
    """
    from benchmarks.speed import efficientnet
    from lumbar.augment import AugmentSettings
    from lumbar.batches import Batches
    from lumbar.core.backend import keras
    from lumbar.runs.settings import TrainingSettings
    from lumbar.training.data import prepared_parts
    from lumbar.training.optimization import compiled

    ours = network != "efficientnet"
    settings = TrainingSettings(
        model=network if ours else "baseline", patients=patients, epochs=EPOCHS if network == "heatmap" else 1000
    ).resolved()
    parts = prepared_parts(settings, progress=True)
    keras.utils.set_random_seed(0)
    size = settings.batch_size if ours else 16
    feed = Batches(parts["train"], size, shuffle=True, augment=AugmentSettings())

    class Clock(keras.callbacks.Callback):
        """Measures the time and, after each epoch, the validation patients; stops the training."""

        paused, seconds, reached, pck, epochs = 0.0, 0.0, False, 0.0, 0

        def on_train_batch_end(self, batch, logs=None):
            self.seconds = time.perf_counter() - self.begin - self.paused
            self.model.stop_training = self.seconds > budget

        def on_epoch_end(self, epoch, logs=None):
            self.epochs = epoch + 1
            stopped = time.perf_counter()
            self.seconds = stopped - self.begin - self.paused
            self.pck = _pck(self.model, parts["validation"])
            self.reached = self.pck >= GOAL_PCK
            self.model.stop_training = self.reached or self.seconds > budget
            self.paused += time.perf_counter() - stopped

    def measure() -> dict[str, Any]:
        clock = Clock()
        clock.begin = time.perf_counter()
        model = compiled(settings, parts["train"].channels, len(feed)) if ours else efficientnet.compiled()
        model.fit(**feed.for_fit(range(settings.epochs)), verbose=0, callbacks=[clock])
        return {"seconds": clock.seconds, "reached": clock.reached, "pck": clock.pck, "epochs": clock.epochs}

    return measure


def _pck(model, part) -> float:
    """Return the share of points within 5 pixels of the 256 frame, decoded as `lumbar.evaluation` does."""
    import numpy as np

    from lumbar.batches import Batches
    from lumbar.decoding import decode
    from lumbar.geometry import Affine

    found, batches = [], Batches(part, 16)
    for step in range(len(batches)):
        answer = np.asarray(model.predict_on_batch(batches[step][0]), np.float64)
        if answer.ndim == 3:
            found.extend(Affine.unit().inverse().points(answer))
            continue
        probability = np.exp(answer - answer.max((1, 2), keepdims=True))
        maps = np.moveaxis(probability / probability.sum((1, 2), keepdims=True), -1, 1)
        found.extend(decode(maps, np.zeros(len(maps), int), part.channels).points)
    radial = np.linalg.norm(np.array(found) - part.points, axis=-1)
    return float((radial[np.isfinite(radial)] <= 5).mean())

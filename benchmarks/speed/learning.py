"""Seconds of training until nearly every point of the synthetic validation patients is found."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

from benchmarks.speed.figure import Figure, Goal
from benchmarks.speed.plan import Plan, told
from benchmarks.speed.side import Unmeasured, once

GOAL_PCK = 0.95
"""Share of the validation patients' points that shall lie within 5 pixels of the true ones."""

LONGEST = 300.0
"""Seconds after which our own training is given up."""

EPOCHS = 12
"""Of our schedule, chosen beforehand: the learning rate comes down by its end."""

OTHERS = {"baseline": "baseline", "EfficientNetV2-S regression": "efficientnet"}


def measure(plan: Plan) -> Iterator[Figure]:
    """A row for each network that ours is compared with, each trained once."""
    small = {"patients": 8} if plan.quick else {}
    try:
        own = once("learning:until", network="heatmap", budget=1.0 if plan.quick else LONGEST, **small)
    except Unmeasured as error:
        yield Figure(f"time to PCK@5 ≥ {GOAL_PCK}, heatmap", "s", note=str(error))
        return
    told(f"heatmap: {own}")
    what = f"time to PCK@5 ≥ {GOAL_PCK} on synthetic validation patients, heatmap"
    values, reached = (own["seconds"],), own["reached"]
    note = f"epoch {own['epochs']} of {EPOCHS}, PCK@5 {own['pck']:.3f}; compilation included"
    yield Figure(
        what, "s", values if reached else (), goal=Goal(most=90), limit="pictures a second, see training",
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
        told(f"{name}: {found}")
        end = "reached" if found["reached"] else f"stopped after {plan.patience:g} times our seconds (--patience)"
        yield Figure(
            what, "s", values if reached else (), name, (found["seconds"],), more_is_better=False,
            goal=Goal(20, of="ratio"), bound="" if found["reached"] else "≥", details=found,
            note=f"{end}; its PCK@5 was {found['pck']:.3f} after {found['epochs']} epochs",
        )  # fmt: skip


def until(network: str, budget: float, patients: int = 320) -> Callable[[], dict[str, Any]]:
    """Train until the goal or the end of the budget; what is measured on the way stops the clock.

    Args:
        network: heatmap, baseline or efficientnet.
        budget: Seconds.
        patients: Synthetic patients, of whom 70 % are trained on.
    """
    from benchmarks.speed import efficientnet
    from lumbar.augment import AugmentSettings
    from lumbar.batches import Batches
    from lumbar.core.backend import keras
    from lumbar.runs.settings import TrainingSettings
    from lumbar.training.data import prepared_parts
    from lumbar.training.loop import compiled

    ours = network != "efficientnet"
    settings = TrainingSettings(
        model=network if ours else "baseline", patients=patients, epochs=EPOCHS if network == "heatmap" else 1000
    ).resolved()
    parts = prepared_parts(settings, progress=True)
    keras.utils.set_random_seed(0)
    size = settings.batch_size if ours else 16
    feed = Batches(parts["train"], size, shuffle=True, augment=AugmentSettings())

    class Clock(keras.callbacks.Callback):
        """Stops the training; looks at the validation patients after each epoch, and after the budget's last step."""

        aside, seconds, reached, pck, epochs = 0.0, 0.0, False, 0.0, 0

        def on_train_batch_end(self, batch, logs=None):
            self.seconds = time.perf_counter() - self.begin - self.aside
            self.model.stop_training = self.seconds > budget

        def on_epoch_end(self, epoch, logs=None):
            self.epochs = epoch + 1
            stopped = time.perf_counter()
            self.seconds = stopped - self.begin - self.aside
            self.pck = _pck(self.model, parts["validation"])
            self.reached = self.pck >= GOAL_PCK
            self.model.stop_training = self.reached or self.seconds > budget
            self.aside += time.perf_counter() - stopped

    def measure() -> dict[str, Any]:
        clock = Clock()
        clock.begin = time.perf_counter()
        model = compiled(settings, parts["train"].channels, len(feed)) if ours else efficientnet.compiled()
        model.fit(**feed.for_fit(range(settings.epochs)), verbose=0, callbacks=[clock])
        return {"seconds": clock.seconds, "reached": clock.reached, "pck": clock.pck, "epochs": clock.epochs}

    return measure


def _pck(model, part) -> float:
    """Share of the points within 5 pixels of the 256 frame, as `lumbar.evaluation` reads them."""
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
        chances = np.exp(answer - answer.max((1, 2), keepdims=True))
        chances = (chances / chances.sum((1, 2), keepdims=True)).astype(np.float32)
        found.extend(decode(maps, "sagittal", part.channels)[0] for maps in chances)
    off = np.linalg.norm(np.array(found) - part.points, axis=-1)
    return float((off[np.isfinite(off)] <= 5).mean())

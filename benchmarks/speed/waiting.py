"""The share of training time spent waiting for batches, and the processor time spent on making them."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator

from benchmarks.speed.figure import Figure, Goal
from benchmarks.speed.plan import Plan, log
from benchmarks.speed.side import Side, in_turns

EPOCHS = 3


def measure(plan: Plan) -> Iterator[Figure]:
    """Yield the row of the table."""
    side = Side("waiting", "waiting:share", steps=4 if plan.quick else 32)
    found, missing = in_turns([side], plan.rounds, log)
    rounds = found.get("waiting", [])
    note = missing.get("waiting", "")
    if rounds:
        median = {name: statistics.median(each[name] for each in rounds) for name in rounds[0]}
        note = (
            f"making batches takes {median['batches']:.0%} of the processor time; "
            f"of {median['steps']:.0f} steps in {EPOCHS} epochs {median['long']:.0f} wait more than a millisecond, the "
            f"longest {1000 * median['longest']:.0f} ms"
        )
    yield Figure(
        "training, heatmap: share of time waiting for batches",
        unit="%",
        values=tuple(100 * each["waiting"] for each in rounds),
        more_is_better=False,
        goal=Goal(most=3),
        limit="two threads make batches while TensorFlow computes, on the same two cores",
        note=note,
    )


def share(steps: int, batch_size: int = 16) -> Callable[[], dict[str, float]]:
    """Prepare some epochs of `fit`, with a clock around each moment at which Keras asks for the next batch.

    Returns:
        The function that measures: the share of seconds spent waiting; the number of steps, the number of those that
        wait more than a millisecond, and the longest wait in seconds; and the share of processor time that the threads
        spend on making batches.
    """
    import tensorflow as tf

    from benchmarks.speed import pictures
    from lumbar.runs.settings import TrainingSettings
    from lumbar.training.optimization import compiled

    feed = pictures.batches(steps * batch_size, batch_size)
    network = compiled(TrainingSettings(model="heatmap"), feed.prepared.channels, steps=steps)
    step = tf.function(network.train_step, reduce_retracing=True)
    waited, making = [], []

    def next_step(iterator):
        begin = time.perf_counter()
        batch = next(iterator)
        waited.append(time.perf_counter() - begin)
        return step(batch)

    network.make_train_function()
    network.train_function = next_step  # `fit` calls it for each step; Keras's own does the same within one graph
    make = feed.batch

    def timed(epoch: int, index: int):
        begin = time.thread_time()
        made = make(epoch, index)
        making.append(time.thread_time() - begin)
        return made

    feed.batch = timed
    network.fit(**feed.for_fit(range(EPOCHS)), verbose=0)

    def measure() -> dict[str, float]:
        waited.clear()
        making.clear()
        begin, used = time.perf_counter(), time.process_time()
        network.fit(**feed.for_fit(range(EPOCHS)), verbose=0)
        seconds, used = time.perf_counter() - begin, time.process_time() - used
        return {
            "waiting": sum(waited) / seconds,
            "steps": len(waited),
            "long": sum(each > 1e-3 for each in waited),
            "longest": max(waited),
            "batches": sum(making) / used,
        }

    return measure

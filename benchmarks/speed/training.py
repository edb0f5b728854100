"""Images per second in training, beside the same network in PyTorch and a network made for photographs."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

from benchmarks.speed.figure import Figure, Goal, compared
from benchmarks.speed.plan import Plan, log
from benchmarks.speed.side import Side, Unmeasured, in_turns, once

OWN = "heatmap"
EFFICIENTNET = "EfficientNetV2-S regression"
TORCH = {
    "PyTorch": {},
    "PyTorch, channels last": {"channels_last": True},
    "PyTorch, channels last, torch.compile": {"channels_last": True, "compiled": True},
}
"""Name → options of the same network in PyTorch; the ratio is to the fastest of these variants."""


def measure(plan: Plan) -> Iterator[Figure]:
    """Yield the rows of the table."""
    steps = 2 if plan.quick else 32
    in_torch = dict(list(TORCH.items())[:1]) if plan.quick else TORCH
    sides = [Side(OWN, "training:heatmap", steps=steps)]
    sides += [Side(name, "training:heatmap_in_torch", steps=steps, **options) for name, options in in_torch.items()]
    if not plan.quick:
        sides.append(Side(EFFICIENTNET, "training:efficientnet", steps=2))
    found, missing = in_turns(sides, plan.rounds, log)
    what, unit = "training, heatmap, batches of 16, augmented", "images/s"
    if not plan.quick:
        yield compared(
            found, missing, what, OWN, EFFICIENTNET, unit=unit, goal=Goal(30, of="ratio"), note="its weights are fresh"
        )
    rates = {name: statistics.median(found[name]) for name in in_torch if found.get(name)}
    fastest = max(rates, key=rates.get, default=next(iter(in_torch)))
    slower = ", ".join(f"{name} {rate:.0f}" for name, rate in rates.items() if name != fastest)
    yield compared(
        found,
        missing,
        what,
        OWN,
        fastest,
        unit=unit,
        goal=Goal(1.3, of="ratio"),
        note=f"{slower}; {_agreement()}",
        limit="the same convolutions, which run at the limit of the processor; see also roofline and tried",
    )


def _agreement() -> str:
    """Return how far the answers of the two networks differ, given the same weights, as text."""
    try:
        return f"given the same weights, both networks agree to {once('training:disagreement'):.0e}"
    except Unmeasured as error:
        return str(error)


def heatmap(
    steps: int,
    batch_size: int = 16,
    model: str = OWN,
    policy: str | None = None,
    jit_compile: bool | None = None,
    ready: bool = False,
) -> Callable[[], float]:
    """Prepare an epoch of `fit`, as `lumbar.training` runs it; measured are images per second.

    Args:
        steps: Batches of the epoch.
        batch_size: Images per batch.
        model: Name of our network.
        policy: Dtype policy of Keras.
        jit_compile: Whether XLA compiles the step.
        ready: Use batches made beforehand, and measure the network alone.
    """
    from benchmarks.speed import pictures
    from lumbar.core.backend import keras
    from lumbar.runs.settings import TrainingSettings
    from lumbar.training.optimization import compiled

    if policy:
        keras.config.set_dtype_policy(policy)
    feed = pictures.batches(steps * batch_size, batch_size)
    network = compiled(TrainingSettings(model=model), feed.prepared.channels, steps=steps)
    if jit_compile is not None:
        network.jit_compile = jit_compile
    if ready:
        made = [feed[index] for index in range(steps)]
        return _rate(lambda: [network.train_on_batch(*batch) for batch in made], steps * batch_size)
    return _rate(lambda: network.fit(**feed.for_fit(range(1)), verbose=0), steps * batch_size)


def efficientnet(steps: int, batch_size: int = 16) -> Callable[[], float]:
    """Prepare the same epoch of EfficientNetV2-S, on the same batches."""
    from benchmarks.speed import efficientnet, pictures

    network = efficientnet.compiled()
    feed = pictures.batches(steps * batch_size, batch_size)
    return _rate(lambda: network.fit(**feed.for_fit(range(1)), verbose=0), steps * batch_size)


def heatmap_in_torch(
    steps: int, batch_size: int = 16, channels_last: bool = False, compiled: bool = False
) -> Callable[[], float]:
    """Prepare the usual training loop in PyTorch, on the same batches, made ahead by as many threads."""
    import torch

    from benchmarks.speed import pictures, torch_network
    from lumbar.core.allocator import keep_freed_memory

    keep_freed_memory()  # as for ours
    torch.manual_seed(0)
    order = torch.channels_last if channels_last else torch.contiguous_format
    network = torch_network.Heatmap(5).to(memory_format=order).train()
    optimizer = torch.optim.Adam(network.parameters(), 0.004, eps=1e-7, fused=True)
    forward = torch.compile(network) if compiled else network
    feed = pictures.batches(steps * batch_size, batch_size)

    def epoch() -> None:
        for images, points in _ahead(feed):
            x = torch.from_numpy(images).permute(0, 3, 1, 2).contiguous(memory_format=order)
            y = torch.from_numpy(points)
            maps = forward(x)
            loss = torch_network.loss(y, maps)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            loss.item(), torch_network.mean_absolute_error(y, maps).item()  # both are recorded, as ours are

    return _rate(epoch, steps * batch_size)


def _ahead(feed) -> Iterator[tuple[Any, Any]]:
    """Yield batches that two threads make while the loop works, three of them ahead of it, as in `Batches.for_fit`."""
    from concurrent.futures import ThreadPoolExecutor

    ahead = 3
    with ThreadPoolExecutor(2) as threads:
        waiting = [threads.submit(feed.__getitem__, index) for index in range(min(ahead, len(feed)))]
        for index in range(len(feed)):
            batch = waiting.pop(0).result()
            if index + ahead < len(feed):
                waiting.append(threads.submit(feed.__getitem__, index + ahead))
            yield batch


def _rate(epoch: Callable[[], Any], count: int) -> Callable[[], float]:
    """Pictures a second; a first epoch pays for tracing and compiling."""
    epoch()

    def measure() -> float:
        begin = time.perf_counter()
        epoch()
        return count / (time.perf_counter() - begin)

    return measure


def disagreement() -> Callable[[], float]:
    """Prepare both networks with the same weights; measured is the largest difference, as a share of the largest value.

    Raises:
        ValueError: If the networks have different numbers of weights.
    """
    import numpy as np
    import torch

    from benchmarks.speed import torch_network
    from lumbar.models import heatmap

    ours, theirs = heatmap(5), torch_network.Heatmap(5).eval()
    counts = [ours.count_params(), sum(each.numel() for each in theirs.parameters())]
    counts[1] += sum(each.numel() for name, each in theirs.named_buffers() if "running" in name)
    if counts[0] != counts[1]:
        raise ValueError(f"the networks have {counts[0]} and {counts[1]} weights")
    torch_network.take_weights(theirs, ours.get_weights())
    images = np.random.default_rng(0).random((2, 256, 256, 1), dtype=np.float32)
    answer = ours.predict_on_batch(images)
    with torch.no_grad():
        other = theirs(torch.from_numpy(images).permute(0, 3, 1, 2)).permute(0, 2, 3, 1).numpy()
    return lambda: float(np.abs(answer - other).max() / np.abs(answer).max())

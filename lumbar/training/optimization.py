"""The network of a training, compiled: its loss, metric, optimizer and learning-rate schedule."""

from __future__ import annotations

from typing import Any

from lumbar import losses, models
from lumbar.core.backend import keras
from lumbar.runs.settings import TrainingSettings
from lumbar.weights import starting
from lumbar.weights.starting import StartingPoint


def compiled(
    settings: TrainingSettings, channels: tuple[str, ...], steps: int, start: StartingPoint | None = None
) -> keras.Model:
    """Build the network of a training, with loss, metric and optimizer.

    Args:
        settings: Settings of the training; open ones are filled in.
        channels: Names of the K points.
        steps: Batches an epoch; the learning-rate schedule is made for them.
        start: The network whose weights it starts from; fresh weights if left out.

    Raises:
        RunError: If the network to start from has another architecture.
        SettingsError: If the settings make no network.
    """
    settings = settings.resolved()
    if keras.distribution.distribution() is None:  # clearing the session would forget the devices, too
        keras.backend.clear_session()
    keras.utils.set_random_seed(settings.seed)  # again: a damaged checkpoint that was tried has used random numbers
    names = ("depth", "width", "activation", "batch_norm", "dropout")
    options = {name: getattr(settings, name) for name in names}
    if settings.absent:
        options["absent"] = channels
    if settings.model == "transfer":
        options |= {"backbone": settings.backbone, "backbone_weights": settings.backbone_weights}
    model = models.build(settings.model, len(channels), **options)
    if settings.frozen_epochs >= settings.epochs:
        for layer in model.layers:
            if isinstance(layer, keras.Model):
                layer.trainable = False  # a backbone that is never let go needs no gradients, most of a step's work
    if start is not None:
        starting.start_from(model, start)
    rate: Any = settings.learning_rate
    if settings.schedule == "cosine":
        warm_up = min(steps * settings.epochs // 10, 2 * steps)
        rate = keras.optimizers.schedules.CosineDecay(
            rate / 20, steps * settings.epochs - warm_up, warmup_target=rate, warmup_steps=warm_up, alpha=0.01
        )
    model.compile(
        optimizer=keras.optimizers.Adam(rate),
        loss=losses.LOSSES[settings.loss](**({"absent": True} if settings.absent else {})),
        metrics=[losses.MeanAbsoluteErrorPixels()],
        jit_compile=keras.backend.backend() == "jax",  # on a CPU, TensorFlow's own convolutions take half of XLA's time
    )
    # If the first step had to create the optimizer's variables, TensorFlow would trace it a second time.
    model.optimizer.build(model.trainable_variables)
    return model

"""Train a network and leave a run: a folder with its settings, history, checkpoints and split.

A run that was stopped goes on at the epoch it had finished, and ends with the weights it would have had without the
break: order, augmentation and dropout follow from (seed, epoch), and ``last.keras`` holds the optimizer's state.
`lumbar.checkpoints` sees to that, `lumbar.rerun` trains a run a second time.
"""

from __future__ import annotations

import errno
import hashlib
import json
import sys
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lumbar import distribution, places
from lumbar.errors import LumbarError, RunError, SettingsError
from lumbar.files import LOCK, held, told
from lumbar.names import BACKBONES, PARTS, VIEWS
from lumbar.run_files import fingerprint, load_config, read_history, write_config
from lumbar.settings import from_dict, identity, setting, to_dict

if TYPE_CHECKING:
    import keras

    from lumbar.distribution import Share
    from lumbar.preprocess import Prepared

RECIPES: dict[str, dict[str, Any]] = {
    "baseline": {
        "depth": 5,
        "width": 8,
        "dropout": 0.3,
        "batch_size": 32,
        "learning_rate": 0.001,
        "loss": "mse",
        "schedule": "constant",
    },
    "heatmap": {
        "depth": 5,
        "width": 16,
        "dropout": 0.0,
        "batch_size": 16,
        "learning_rate": 0.004,
        "loss": "crossentropy",
        "schedule": "cosine",
    },
    "transfer": {
        "depth": 3,
        "width": 64,
        "dropout": 0.0,
        "batch_size": 16,
        "learning_rate": 0.001,
        "loss": "crossentropy",
        "schedule": "cosine",
    },
}
RECIPES["residual"] = RECIPES["baseline"]
"""What a setting left open means for each network: as documented for the baseline, as measured for the heatmap."""


@dataclass(frozen=True)
class TrainingSettings:
    """Settings of a training; the defaults are the documented ones."""

    data: Path | None = setting(None, "folder of a data set; synthetic patients, made on first use, if left out")
    patients: int = setting(320, "synthetic patients to make if no data are given", at_least=7)
    patients_seed: int = setting(7, "another seed, other synthetic patients", at_least=0)
    extra: tuple[Path, ...] = setting((), "folders of further data sets, all of whose pictures are for training")
    folds: int = setting(1, "parts of a cross-validation by patient; 1 for a plain split", at_least=1, at_most=100)
    fold: int = setting(1, "which of the folds is the test part, from 1", at_least=1)
    views: tuple[str, ...] = setting(("sagittal",), "planes to train on", choices=VIEWS)
    fit: str = setting("stretch", "how a picture becomes square", choices=("stretch", "letterbox"))
    model: str = setting("baseline", "network", choices=tuple(RECIPES))
    weights: str | None = setting(None, "network to start from: released weights by name, or a run; fresh if left out")
    depth: int | None = setting(
        None, "halvings of the picture inside the network (default: the network's)", at_least=1, at_most=7
    )
    width: int | None = setting(None, "filters of the first convolution (default: the network's)", at_least=1)
    activation: str = setting("relu", "activation function", choices=("relu", "gelu", "silu", "elu"))
    batch_norm: bool = setting(True, "batch normalisation after each convolution")
    dropout: float | None = setting(
        None, "share of units switched off in training (default: the network's)", at_least=0, at_most=0.95
    )
    backbone: str = setting(
        "MobileNetV3Small", "eyes of a transfer network, from keras.applications", choices=BACKBONES
    )
    backbone_weights: str | None = setting(
        None, "what its backbone starts from: imagenet (a download) or a local .h5 file; fresh if left out"
    )
    frozen_epochs: int = setting(0, "epochs in which its backbone stays as it is", at_least=0)
    epochs: int = setting(50, "passes over the training pictures", at_least=1)
    batch_size: int | None = setting(None, "pictures a step (default: the network's; baseline 32)", at_least=1)
    learning_rate: float | None = setting(
        None, "step size of Adam, its peak if scheduled (default: the network's; baseline 0.001)", at_least=0
    )
    loss: str | None = setting(
        None,
        "loss, see lumbar.losses; crossentropy needs maps (default: the network's)",
        choices=("mse", "l1", "crossentropy"),
    )
    schedule: str | None = setting(
        None, "course of the learning rate (default: the network's)", choices=("constant", "cosine")
    )
    augmentation: float = setting(1.0, "strength of augmentation; 0 for none", at_least=0)
    tones: float = setting(
        0.0, "share of training pictures whose greys are dealt out anew (unknown contrasts)", at_least=0, at_most=1
    )
    seed: int = setting(0, "of split, weights, order, augmentation and dropout", at_least=0)
    tensorboard: bool = setting(True, "write a TensorBoard log into the run's folder")
    mlflow: bool = setting(
        False, "record the run with MLflow, too: in runs/mlflow, or where MLFLOW_TRACKING_URI says", identifies=False
    )
    devices: int = setting(
        1, "devices that share each batch, 0 for all there are (JAX backend only)", at_least=0, identifies=False
    )
    name: str | None = setting(None, "name of the run's folder under runs/ (default: made from the settings)")

    def resolved(self) -> TrainingSettings:
        """The same, with what was left open filled in from the network's recipe."""
        recipe = {name: value for name, value in RECIPES[self.model].items() if getattr(self, name) is None}
        return replace(self, **recipe)


def train(settings: TrainingSettings, *, progress: bool = True) -> Path:
    """Train a network, or finish a training that was stopped.

    The run's folder holds ``config.json``, ``split.csv`` and ``history.csv`` (see `lumbar.run_files`), ``best.keras``
    (lowest validation error), ``last.keras``, ``learning_curves.png`` and ``tensorboard/``. A finished run with the
    same settings is returned at once.

    Args:
        settings: What to train on what.
        progress: Show progress bars.

    Returns:
        The run's folder.

    Raises:
        SettingsError: If a setting has a value that cannot be used.
        RunError: If the folder holds a run with other settings, or an unfinished one with other data or another network
            to start from; if another process is at work in it, or if the loss stops being a number.
        OutputError: If the system will not have the run written. What was finished is kept.
        LumbarError: If the data cannot be read.
    """
    settings = checked(settings)
    run = places.runs() / (settings.name or default_name(settings))
    if finished(run, settings):
        if (run / LOCK).exists() and distribution.writes():  # a process killed at the very end left it
            with suppress(LumbarError), held(run):
                pass
        return run
    # Of several processes that train together the first holds the folder.
    with held(run) if distribution.writes() else nullcontext():
        if not finished(run, settings):  # by a process that was at work here meanwhile
            _train(run, settings, progress)
    return run


def finished(run: Path, settings: TrainingSettings) -> bool:
    """Whether the folder holds all that a training with these settings leaves.

    Args:
        run: The folder; it need not be there.
        settings: As `checked` gives them.

    Raises:
        RunError: If it holds a run with other settings.
    """
    if not (run / "config.json").is_file():
        return False
    if load_settings(run) != settings:
        raise RunError(
            "this folder holds a run with other settings",
            file=run,
            found=str(_differences(load_settings(run), settings)),
            remedy="choose another name, or remove the folder",
        )
    if not (run / "learning_curves.png").is_file():
        return False
    from lumbar.weights import loading

    try:
        return len(read_history(run)) == settings.epochs and not loading.damage(run / "best.keras")
    except RunError:  # the history is damaged
        return False


def _train(run: Path, settings: TrainingSettings, progress: bool) -> None:
    if not distribution.in_job():  # whose devices are known only when all have come together
        distribution.share(settings.devices, settings.resolved().batch_size)
    config = load_config(run) if (run / "config.json").is_file() else None
    with distribution.together():
        with distribution.joining():
            parts = prepared_parts(settings, progress=progress)
        if config and config["data"]["fingerprint"] != fingerprint(parts):
            raise RunError(
                "the data have changed since this run began",
                file=run,
                field="fingerprint",
                found=fingerprint(parts),
                expected=config["data"]["fingerprint"],
                remedy="bring the data back as they were, or train under another name",
            )
        if settings.weights:
            from lumbar.weights import starting

            starting.check_strangers(settings.weights, parts)
            if config:
                starting.check_unchanged(settings.weights, config.get("started_from"), run)
        shared = distribution.share(settings.devices, settings.resolved().batch_size)
        if distribution.in_job():
            distribution.agree(settings=identity(settings), data=fingerprint(parts))
        with distribution.scope(shared):
            _fit(run, settings, parts, shared, progress)
        if distribution.writes():
            _draw(run)


def checked(settings: TrainingSettings) -> TrainingSettings:
    """The settings as config.json will hold them; where the data lie does not depend on where one stands.

    Raises:
        SettingsError: If a setting has a value that cannot be used.
    """
    data = settings.data and str(Path(settings.data).expanduser().absolute())
    extra = [str(Path(folder).expanduser().absolute()) for folder in settings.extra]
    settings = from_dict(TrainingSettings, to_dict(settings) | {"data": data, "extra": extra})
    if settings.mlflow:
        from lumbar import mlflow_log

        mlflow_log.require()
    if settings.fold > settings.folds:
        raise SettingsError(
            "there is no such fold", field="fold", found=settings.fold, expected=f"1 to {settings.folds}"
        )
    if settings.model in ("baseline", "residual") and settings.loss == "crossentropy":
        raise SettingsError(
            f"this loss compares maps, and {settings.model} answers with coordinates",
            field="loss",
            found=settings.loss,
            expected="mse or l1, or --model heatmap",
        )
    return settings


def default_name(settings: TrainingSettings) -> str:
    """A run's name made from its settings, so that other settings have another name."""
    settings = checked(settings)
    digest = hashlib.sha256(json.dumps(identity(settings), sort_keys=True).encode()).hexdigest()[:8]
    return f"{settings.model}-{'-'.join(settings.views)}-{digest}"


def load_settings(run: Path) -> TrainingSettings:
    """The settings a run was trained with.

    Raises:
        RunError: If the folder is not a run.
    """
    return from_dict(TrainingSettings, load_config(run)["settings"])


def prepared_parts(settings: TrainingSettings, *, progress: bool = True) -> dict[str, Prepared]:
    """Pictures and points of each part of the split, the same whenever the settings are the same.

    Args:
        settings: Of the training; data, patients, extra, folds, views, fit and seed matter here.
        progress: Show progress bars.

    Returns:
        "train", "validation" and "test" → Prepared.

    Raises:
        LumbarError: If the data cannot be read or are too few to split.
    """
    from lumbar import landmarks, preprocess

    def prepared(folder: Path) -> Prepared:
        from lumbar import datasets

        dataset = datasets.load(folder)
        for note in dataset.notes if progress else ():
            print(f"note: {note}", file=sys.stderr)
        how = preprocess.PreprocessSettings(fit=settings.fit)
        return preprocess.prepare(dataset, how, views=settings.views, cache=places.cache(), progress=progress)

    own = prepared(_data_folder(settings, progress))
    if settings.folds == 1:
        part_of = landmarks.split(own.index, seed=settings.seed)
    else:
        part_of = landmarks.fold(own.index, settings.folds, settings.fold, seed=settings.seed)
    where = own.index["patient"].map(part_of)
    extra = [prepared(folder) for folder in settings.extra]
    landmarks.check_split(
        [*own.index["patient"], *(patient for more in extra for patient in more.index["patient"])],
        [*where, *("train" for more in extra for _ in more.index["patient"])],
    )
    parts = {part: own.select((where == part).to_numpy()) for part in PARTS}
    parts["train"] = preprocess.joined([parts["train"], *extra])
    return parts


def _data_folder(settings: TrainingSettings, progress: bool) -> Path:
    if settings.data is not None:
        return settings.data
    from lumbar import phantom

    folder = places.data() / f"phantom-{settings.patients}-{settings.patients_seed}"
    wanted = phantom.PhantomSettings(patients=settings.patients, seed=settings.patients_seed)
    return phantom.write_dataset(folder, wanted, progress=progress)


def _fit(run: Path, settings: TrainingSettings, parts: dict[str, Prepared], shared: Share, progress: bool) -> None:
    from lumbar.augment import AugmentSettings
    from lumbar.backend import keras
    from lumbar.batches import Batches, CountCopiesOnce
    from lumbar.checkpoints import RunKeeper

    asked, settings = settings, settings.resolved()
    keras.utils.set_random_seed(settings.seed)
    batches = Batches(
        parts["train"],
        settings.batch_size,
        seed=settings.seed,
        shuffle=True,
        augment=AugmentSettings(strength=settings.augmentation, tones=settings.tones),
        share=shared,
    )
    validation = Batches(parts["validation"], settings.batch_size, share=shared)
    keeper = RunKeeper(run, settings, batches, progress)
    model = keeper.restored() or compiled(settings, parts["train"].channels, steps=len(batches))
    if distribution.in_job():
        distribution.agree(finished_epochs=keeper.finished_epochs)
    if distribution.writes():
        write_config(run, asked, parts, keeper.finished_epochs)
    callbacks, log = [CountCopiesOnce(batches, validation), keeper], run / "tensorboard"
    if settings.tensorboard and distribution.writes():
        from lumbar.event_log import EventLog

        callbacks.append(EventLog(log, lambda: keeper.history))
    if settings.mlflow and distribution.writes():
        from lumbar.mlflow_log import MlflowLog

        callbacks.append(MlflowLog(run, lambda: keeper.history))
    try:
        model.fit(
            **batches.for_fit(range(keeper.finished_epochs, settings.epochs)),
            validation_data=validation,
            callbacks=callbacks,
            verbose=0,
        )
    except Exception as error:
        if str(log) not in str(error):
            raise
        # TensorFlow's own errors, when a disk is full, say nothing to a person.
        with told(log):
            raise OSError(errno.ENOSPC, str(error).rpartition(";")[2].strip().splitlines()[0]) from error


def compiled(settings: TrainingSettings, channels: tuple[str, ...], steps: int) -> keras.Model:
    """The network as its training begins, with loss, metric and optimizer.

    Args:
        settings: Of the training; what is left open is filled in.
        channels: Names of the K points.
        steps: Batches an epoch; the schedule of the learning rate is made for them.

    Raises:
        RunError: If the network to start from is not there, or is made differently.
        SettingsError: If the settings make no network.
    """
    from lumbar import losses, metrics, models
    from lumbar.backend import keras

    settings = settings.resolved()
    if keras.distribution.distribution() is None:  # else the devices would be forgotten, too
        keras.backend.clear_session()
    keras.utils.set_random_seed(settings.seed)  # again: a checkpoint that was tried in vain has drawn from it
    names = ("depth", "width", "activation", "batch_norm", "dropout")
    options = {name: getattr(settings, name) for name in names}
    if settings.model == "transfer":
        options |= {"backbone": settings.backbone, "backbone_weights": settings.backbone_weights}
    model = models.build(settings.model, len(channels), **options)
    if settings.weights:
        from lumbar.weights import starting

        starting.start_from(model, settings.weights)
    rate: Any = settings.learning_rate
    if settings.schedule == "cosine":
        warm_up = min(steps * settings.epochs // 10, 2 * steps)
        rate = keras.optimizers.schedules.CosineDecay(
            rate / 20, steps * settings.epochs - warm_up, warmup_target=rate, warmup_steps=warm_up, alpha=0.01
        )
    model.compile(
        optimizer=keras.optimizers.Adam(rate),
        loss=losses.LOSSES[settings.loss](),
        metrics=[metrics.MeanAbsoluteErrorPixels()],
        jit_compile=keras.backend.backend() == "jax",  # on a CPU, TensorFlow's own convolutions take half of XLA's time
    )
    return model


def _draw(run: Path) -> None:
    from lumbar import figures

    figures.learning_curves(read_history(run)).savefig(run / "learning_curves.png")


def _differences(one: TrainingSettings, other: TrainingSettings) -> dict[str, tuple[Any, Any]]:
    a, b = identity(one), identity(other)
    return {name: (a[name], b[name]) for name in a if a[name] != b[name]}

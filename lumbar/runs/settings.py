"""The settings of each verb that trains, measures or uses a network: one frozen dataclass a verb.

The command line's flags, a notebook's parameters and a run's config.json are all made from them, see
`lumbar.core.schema`. Nothing heavy is imported here, so that ``--help`` answers at once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lumbar.core import extras
from lumbar.core.constants import BACKBONES, DEFAULT_WEIGHTS, ENGINES, PARTS, RESIZE, VIEWS
from lumbar.core.digests import digest_of_values
from lumbar.core.errors import SettingsError
from lumbar.core.schema import first_released_names, from_dict, setting, to_dict

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
"""Values for the settings that the user leaves open: as documented for the baseline, as measured for the heatmap."""

WEIGHTS_HELP = "trained network: a released one by its name, a run's folder or name, or an .onnx file"
ENGINE_HELP = "what runs the network: ONNX Runtime, or Keras, in which it was trained"
ANY_MODALITY_HELP = "answer images of a kind of imaging that the network was not trained on, too; they are flagged"


@dataclass(frozen=True)
class TrainingSettings:
    """Settings of a training; the defaults are the documented ones."""

    data: Path | None = setting(None, "folder of a data set (default: synthetic patients, made on first use)")
    patients: int = setting(320, "synthetic patients to make if no data are given", at_least=7)
    patients_seed: int = setting(7, "seed of the synthetic patients", at_least=0)
    extra: tuple[Path, ...] = setting((), "folders of further data sets, used for training only")
    folds: int = setting(1, "parts of a cross-validation by patient; 1 for a plain split", at_least=1, at_most=100)
    fold: int = setting(1, "which of the folds is the test part, from 1", at_least=1)
    views: tuple[str, ...] = setting(("sagittal",), "planes to train on", choices=VIEWS)
    resize: str = setting(RESIZE[0], "how an image becomes square", choices=RESIZE, first_released_as="fit")
    model: str = setting("baseline", "network", choices=tuple(RECIPES))
    weights: str | None = setting(
        None,
        "network to start from: a released one by its name, or a run; a command takes from it what it does not say of "
        "the architecture (default: fresh weights)",
    )
    depth: int | None = setting(
        None, "how often the network halves the image (default: the network's)", at_least=1, at_most=7
    )
    width: int | None = setting(None, "filters of the first convolution (default: the network's)", at_least=1)
    activation: str = setting("relu", "activation function", choices=("relu", "gelu", "silu", "elu"))
    batch_norm: bool = setting(True, "batch normalisation after each convolution")
    dropout: float | None = setting(
        None, "share of units switched off in training (default: the network's)", at_least=0, at_most=0.95
    )
    backbone: str = setting(
        "MobileNetV3Small", "backbone of a transfer network, made for photographs", choices=BACKBONES
    )
    backbone_weights: str | None = setting(
        None,
        "weights of the backbone: imagenet (a download; those of EfficientNetLite0 are in a package), or a local .h5 "
        "file (default: fresh weights)",
    )
    frozen_epochs: int = setting(0, "epochs in which the backbone is frozen", at_least=0)
    epochs: int = setting(50, "passes over the training images", at_least=1)
    batch_size: int | None = setting(None, "images per step (default: the network's; baseline 32)", at_least=1)
    learning_rate: float | None = setting(
        None, "step size of Adam, its peak if scheduled (default: the network's; baseline 0.001)", at_least=0
    )
    loss: str | None = setting(
        None,
        "loss, see lumbar.losses; crossentropy needs heatmaps (default: the network's)",
        choices=("mse", "l1", "crossentropy"),
    )
    schedule: str | None = setting(
        None, "learning-rate schedule (default: the network's)", choices=("constant", "cosine")
    )
    augmentation: float = setting(1.0, "strength of augmentation; 0 for none", at_least=0)
    contrast_remap: float = setting(
        0.0,
        "share of training images with a random contrast remapping, as if of a contrast never seen",
        at_least=0,
        at_most=1,
        first_released_as="tones",
    )
    field_of_view: float = setting(
        0.0,
        "share of the augmented images shown from nearer or farther, or cut off, as if of another field of view",
        at_least=0,
        at_most=1,
        added=True,
    )
    absent: bool = setting(
        False,
        "let the network also learn which points are not in the image, and T12/L1 and S1/S2 where the data list them, "
        "to count the levels by (heatmaps only)",
        added=True,
    )
    seed: int = setting(0, "seed of split, weights, order, augmentation and dropout", at_least=0)
    tensorboard: bool = setting(True, "write a TensorBoard log into the run's folder")
    mlflow: bool = setting(
        False, "also record the run with MLflow: in runs/mlflow, or where MLFLOW_TRACKING_URI points", identifies=False
    )
    devices: int = setting(
        1, "devices that share each batch, with the JAX backend only; 0 for all available", at_least=0, identifies=False
    )
    name: str | None = setting(None, "name of the run's folder under runs/ (default: made from the settings)")

    def resolved(self) -> TrainingSettings:
        """Return the same settings with the open ones filled in from the network's recipe."""
        recipe = {name: value for name, value in RECIPES[self.model].items() if getattr(self, name) is None}
        return replace(self, **recipe)


@dataclass(frozen=True)
class EvaluationSettings:
    """Settings of an evaluation."""

    run: Path | None = setting(
        None, "run folder, its name under runs/, or a released network (default: the newest trained run)"
    )
    part: str = setting("test", "part of the split to measure on", choices=PARTS)
    data: Path | None = setting(None, "another data set to measure on, whole, in place of a part of the run's own")
    bootstrap: int = setting(2000, "resamples of the patients for the 95 % intervals; 0 for none", at_least=0)
    seed: int = setting(0, "seed of the resampling", at_least=0)


@dataclass(frozen=True)
class PredictionSettings:
    """Settings of a prediction."""

    weights: str = setting(DEFAULT_WEIGHTS, WEIGHTS_HELP)
    view: str | None = setting(
        None, "plane of images whose files do not state it (PNG, JPEG; default: sagittal)", choices=VIEWS
    )
    frame: int | None = setting(
        None,
        "frame of a multi-frame file, or sagittal slice of a volume counted from the patient's right, from 0 (default: "
        "a volume's mid-sagittal slice)",
        at_least=0,
    )
    any_modality: bool = setting(False, ANY_MODALITY_HELP)
    quality: Path | None = setting(
        None,
        "judgements saved on the page of `report`: read only images that passed (CSV), or that did not fail (YAML of "
        "the Spinal Cord Toolbox)",
    )
    engine: str = setting(ENGINES[0], ENGINE_HELP, choices=ENGINES)


@dataclass(frozen=True)
class LocateSettings:
    """Settings of the search for levels in a study."""

    weights: str = setting(DEFAULT_WEIGHTS, WEIGHTS_HELP)
    study: str | None = setting(None, "Study Instance UID of the study to use (default: the only one)")
    sagittal: str | None = setting(
        None, "number or UID of the sagittal series to use (default: the one with the longest echo time)"
    )
    axial: tuple[str, ...] = setting((), "numbers or UIDs of the axial series to use (default: all)")
    common_frame: bool = setting(
        True,
        "assume one frame of reference for series that each state one of their own, as de-identified studies do, if "
        "their positions agree; the levels are flagged",
    )
    middle: str = setting("confidence", "how the mid-sagittal slice is chosen", choices=("confidence", "geometry"))
    check_count: bool = setting(True, "check the count of the levels in the localiser, if the study has one")
    any_modality: bool = setting(False, ANY_MODALITY_HELP)
    engine: str = setting(ENGINES[0], ENGINE_HELP, choices=ENGINES)


@dataclass(frozen=True)
class CrossvalidationSettings:
    """Settings of a cross-validation; each fold is an ordinary training with the training settings."""

    also: tuple[str, ...] = setting(
        (), "trained networks (released, or runs) to measure on the same images; they must not know these patients"
    )
    name: str = setting("crossvalidation", "name of the folder under runs/")
    title: str = setting("this training", "what the folds' networks are called in the table")
    seeds: int = setting(1, "seeds to train all folds with, from --seed on; each is a row of the table", at_least=1)
    last: bool = setting(
        False, "measure the network of the last epoch, not that of the epoch with the lowest validation error"
    )
    publish: Path | None = setting(
        None, "CSV to write errors and confidences to, without names and coordinates (default: none)"
    )


SEARCHED = ("model", "depth", "width", "activation", "dropout", "batch_norm", "learning_rate", "augmentation")
"""Training settings that a search may vary."""


@dataclass(frozen=True)
class TuningSettings:
    """Settings of a search; the training settings hold what a trial does not vary."""

    algorithm: str = setting("random", "how the next trial is chosen", choices=("random", "hyperband", "bayesian"))
    trials: int = setting(
        10,
        "trials at most; a search ends earlier if all combinations were tried; hyperband derives their number from the "
        "epochs",
        at_least=1,
    )
    trial_epochs: int = setting(6, "epochs of one trial (the longest, for hyperband)", at_least=1)
    search: tuple[str, ...] = setting(SEARCHED, "settings to vary; the others stay as given", choices=SEARCHED)
    name: str = setting("search", "name of the search's folder under runs/")


@dataclass(frozen=True)
class WorkerSettings:
    """Settings of the processes that run trials; in a random search they do not change which trials are run."""

    workers: int = setting(1, "processes on this machine that run trials side by side", at_least=0)
    chief: str | None = setting(
        None,
        "HOST:PORT at which other machines, which must see the same runs folder, can --join; there is no password, so "
        "only in a network that you trust (default: this machine alone, at a free port)",
    )
    join: str | None = setting(
        None, "HOST:PORT of the search to work for; give its --name, too (default: start a search here)"
    )

    @property
    def several(self) -> bool:
        """Whether more than this process takes part."""
        return self.workers != 1 or self.chief is not None


def validated(settings: TrainingSettings) -> TrainingSettings:
    """Return the settings as config.json will hold them, with absolute paths.

    Raises:
        SettingsError: If a setting has a value that cannot be used.
    """
    data = settings.data and str(Path(settings.data).expanduser().absolute())
    extra = [str(Path(folder).expanduser().absolute()) for folder in settings.extra]
    settings = from_dict(TrainingSettings, to_dict(settings) | {"data": data, "extra": extra})
    if settings.mlflow:
        extras.require("mlflow", "record a run with MLflow")
    if settings.fold > settings.folds:
        raise SettingsError(
            "this fold does not exist", field="fold", found=settings.fold, expected=f"1 to {settings.folds}"
        )
    if settings.model in ("baseline", "residual") and settings.loss == "crossentropy":
        raise SettingsError(
            f"this loss compares heatmaps, and {settings.model} answers with coordinates",
            field="loss",
            found=settings.loss,
            expected="mse or l1, or --model heatmap",
        )
    if settings.absent and settings.resolved().loss != "crossentropy":
        raise SettingsError(
            "only a network that answers with heatmaps can learn that a point is absent",
            field="absent",
            found=f"--model {settings.model}, --loss {settings.resolved().loss}",
            expected="--model heatmap or transfer, with --loss crossentropy",
        )
    return settings


def default_name(settings: TrainingSettings) -> str:
    """Return a run's name made from its settings: other settings, another name.

    A setting that was renamed counts under the name of its first release, so that a run keeps its name.

    Raises:
        SettingsError: If a setting has a value that cannot be used.
    """
    return run_name(replace(validated(settings), name=None))


def run_name(settings: TrainingSettings) -> str:
    """Return the name of the run of settings that were `validated`: the one they give, or one made from them."""
    digest = digest_of_values(first_released_names(settings), length=8)
    return settings.name or f"{settings.model}-{'-'.join(settings.views)}-{digest}"

"""Start a training from the weights of another network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from lumbar import splits
from lumbar.core.constants import NEIGHBOURS, PARTS
from lumbar.core.digests import digest_of_file
from lumbar.core.errors import RunError
from lumbar.preprocess import Prepared
from lumbar.runs.folder import load_config, read_split
from lumbar.weights import safe_loading
from lumbar.weights.registry import Weights, find, released

if TYPE_CHECKING:
    from pathlib import Path

    import keras


@dataclass(frozen=True)
class StartingPoint:
    """The network that a training starts from.

    Args:
        network: The trained network.
        digest: Fingerprint of its file, which the run's config.json records.
    """

    network: Weights
    digest: str


def starting_point(name: str, parts: dict[str, Prepared]) -> StartingPoint:
    """Find the network to start from, and make sure that it has not been trained on patients who are to measure it.

    The networks that it was itself started from count, too.

    Args:
        name: Name of the network, as `lumbar.weights.find` takes it.
        parts: Parts of the split of the training that is to begin.

    Raises:
        TableError: If the network was trained on a patient of the validation or test part, naming them.
        RunError: If there is no such network, or files of its run are missing or damaged.
    """
    network = find(name)
    people = [parts[part].people.assign(part="measuring") for part in PARTS[1:]]
    ancestor, file = name, network.file
    while ancestor is not None and ancestor not in released():
        split = read_split(file.parent)
        people.append(split[split["part"] == "train"])
        ancestor = load_config(file.parent)["settings"].get("weights")
        if ancestor is not None:
            file = find(ancestor).file
    splits.check_people(pd.concat(people, ignore_index=True))
    return StartingPoint(network, digest_of_file(network.file))


def start_from(model: keras.Model, start: StartingPoint) -> None:
    """Give a fresh network the weights of a trained one of the same architecture.

    A network that can answer "absent" may start from one that cannot, and one with neighbouring discs from one without,
    or the other way round: they are the last of its points.

    Raises:
        RunError: If the trained network has another architecture.
    """
    from lumbar.models import knows_absent

    trained = safe_loading.load(start.network.file)
    weights = trained.get_weights()
    same_points = True
    if knows_absent(model):
        fresh, same_points = model.get_weights(), _answer_with_the_same(model, trained)
        if not knows_absent(trained):
            weights.append(fresh[-1])
        if same_points:
            # The kernel and bias of the heatmaps, and the scores of "absent", end with an axis for the points.
            weights[-3:] = [_with_points_of(now, old) for now, old in zip(fresh[-3:], weights[-3:], strict=True)]
    if not same_points or _architecture(model) != ([each.shape for each in weights], _activations(trained)):
        raise RunError(
            "the network to start from has another architecture",
            file=start.network.file,
            found=_describe(trained),
            expected=_describe(model),
            remedy="leave the architecture out of the command, and it is taken from that network; or train with "
            f"{_flags(start.network, trained)}, and with the same --depth, --width and --batch-norm",
        )
    model.set_weights(weights)


def _answer_with_the_same(model: keras.Model, trained: keras.Model) -> bool:
    """Whether two networks with heatmaps have the same points, but for the neighbouring discs."""
    from lumbar.models import point_names

    ours, theirs = ([name for name in point_names(each) if name not in NEIGHBOURS] for each in (model, trained))
    # A network that does not name its points has no neighbouring discs.
    return theirs == ours if theirs else trained.output_shape[1:] == (*model.output_shape[1:3], len(ours))


def _with_points_of(fresh: np.ndarray, trained: np.ndarray) -> np.ndarray:
    """Return `fresh` with the values of those points that the trained network has, too, or these if nothing fits."""
    if fresh.shape[:-1] != trained.shape[:-1]:
        return trained
    shared = min(fresh.shape[-1], trained.shape[-1])
    return np.concatenate([trained[..., :shared], fresh[..., shared:]], axis=-1)


def check_unchanged(start: StartingPoint, recorded: str | None, run: Path) -> None:
    """Make sure that the network to start from is the one that a run began with.

    Args:
        start: The network to start from.
        recorded: Its digest in the run's config.json; None, in runs of early versions, matches any.
        run: The run's folder.

    Raises:
        RunError: If it is another.
    """
    if recorded and start.digest != recorded:
        raise RunError(
            f"the network that {run.name} started from has changed",
            file=start.network.file,
            field="started_from",
            found=start.digest,
            expected=recorded,
            remedy="bring that network back as it was, or train under another name",
        )


def _architecture(model: keras.Model) -> tuple[list[tuple[int, ...]], list[str]]:
    """Return what two networks must share for the weights of one to mean the same in the other."""
    return [array.shape for array in model.get_weights()], _activations(model)


def _flags(network: Weights, model: keras.Model) -> str:
    """Return the flags of ``train`` that make a network like a trained one, as far as these are known."""
    from lumbar.models import knows_absent

    activation = next((name for name in _activations(model) if name != "linear"), "relu")
    absent = " --absent" if knows_absent(model) else ""
    return f"--model {model.name} --activation {activation} --views {' '.join(network.views)}{absent}"


def _describe(model: keras.Model) -> str:
    return f"{model.name} with {model.count_params()} weights and {', '.join(sorted(set(_activations(model))))}"


def _activations(model: keras.Model) -> list[str]:
    return [layer.activation.__name__ for layer in model.layers if hasattr(layer, "activation")]

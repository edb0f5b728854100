"""Start a training from the weights of another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lumbar import landmarks, weights
from lumbar.errors import RunError
from lumbar.names import PARTS
from lumbar.run_files import digest, load_config, read_split
from lumbar.weights import loading

if TYPE_CHECKING:
    from pathlib import Path

    import keras

    from lumbar.preprocess import Prepared


def start_from(model: keras.Model, name: str) -> None:
    """Give a fresh network the weights of a trained one of the same make.

    Args:
        model: The fresh one.
        name: Of the trained one, as `lumbar.weights.find` takes it.

    Raises:
        RunError: If there is no such network, or it is made differently.
    """
    known = weights.find(name)
    trained = loading.load(known.file)
    if _make(model) != _make(trained):
        raise RunError(
            "the network to start from is made differently",
            file=known.file,
            found=_make_in_words(trained),
            expected=_make_in_words(model),
            remedy="train with the same --model, --depth, --width, --activation, --batch-norm and --views",
        )
    model.set_weights(trained.get_weights())


def check_strangers(name: str, parts: dict[str, Prepared]) -> None:
    """Make sure that nobody who is to measure the network has taught the one to start from, or one that it began as.

    Args:
        name: Of the network to start from, as `lumbar.weights.find` takes it.
        parts: Of the split of the training that is to begin.

    Raises:
        TableError: If one has, naming them.
        RunError: If there is no such network, or files of its run are missing or damaged.
    """
    known: list[str] = []
    while name is not None and name not in weights.released():
        run = weights.find(name).file.parent
        split = read_split(run)
        known += split.loc[split["part"] == "train", "patient"].tolist()
        name = load_config(run)["settings"].get("weights")
    measuring = [who for part in PARTS[1:] for who in parts[part].index["patient"].unique()]
    landmarks.check_split([*known, *measuring], ["train"] * len(known) + ["measuring"] * len(measuring))


def check_unchanged(name: str, then: str | None, run: Path) -> None:
    """Make sure that the network to start from is the one that a run began with.

    Args:
        name: Of the network, as `lumbar.weights.find` takes it.
        then: Its digest as the run's config.json has it; None, of an earlier version, matches any.
        run: The run's folder.

    Raises:
        RunError: If it is another, or there is none.
    """
    file = weights.find(name).file
    if then and (now := digest(file)) != then:
        raise RunError(
            f"the network that {run.name} started from has changed",
            file=file,
            field="started_from",
            found=now,
            expected=then,
            remedy="bring that network back as it was, or train under another name",
        )


def _make(model: keras.Model) -> tuple[list[tuple[int, ...]], list[str]]:
    """What two networks must share for the weights of one to mean the same in the other."""
    return [tuple(array.shape) for array in model.get_weights()], _activations(model)


def _make_in_words(model: keras.Model) -> str:
    return f"{model.name} with {model.count_params()} weights and {', '.join(sorted(set(_activations(model))))}"


def _activations(model: keras.Model) -> list[str]:
    return [layer.activation.__name__ for layer in model.layers if hasattr(layer, "activation")]

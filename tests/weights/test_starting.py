"""A training may start from networks of the same architecture and points, and from no others."""

import argparse

import numpy as np
import pytest

from lumbar import models, weights
from lumbar.cli import train
from lumbar.core.errors import RunError
from lumbar.landmarks import LEVELS, NEIGHBOURS, SIDES
from lumbar.runs.settings import TrainingSettings
from lumbar.training.optimization import compiled
from lumbar.weights import safe_loading
from lumbar.weights.starting import StartingPoint, start_from

ALL_VIEWS = (*LEVELS, *SIDES)


def fresh(names, *, width=16, absent=True):
    options = {"absent": names} if absent else {}
    return models.build("heatmap", len(names), width=width, activation="gelu", **options)


@pytest.fixture(scope="module")
def without_neighbours(tmp_path_factory):
    """A network that answers every level, as the first released ones did."""
    file = tmp_path_factory.mktemp("network") / "best.keras"
    fresh(ALL_VIEWS, absent=False).save(file)
    return StartingPoint(weights.Weights(file, ("sagittal", "coronal", "axial"), "stretch", True), "")


def test_a_network_with_neighbouring_discs_starts_from_one_without(without_neighbours):
    model = fresh((*ALL_VIEWS, *NEIGHBOURS))
    own = [each.copy() for each in model.get_weights()[-3:]]
    start_from(model, without_neighbours)
    theirs = safe_loading.load(without_neighbours.network.file).get_weights()
    for ours, old in zip(model.get_weights()[:-3], theirs[:-2], strict=True):
        np.testing.assert_array_equal(ours, old)
    kernel, bias, absent = model.get_weights()[-3:]
    np.testing.assert_array_equal(kernel, np.concatenate([theirs[-2], own[0][..., 7:]], axis=-1))
    np.testing.assert_array_equal(bias, np.concatenate([theirs[-1], own[1][7:]]))
    np.testing.assert_array_equal(absent, own[2])


@pytest.mark.parametrize(
    "model",
    [
        lambda: fresh((*LEVELS, *NEIGHBOURS)),  # as many points, but the last two are others
        lambda: fresh(LEVELS),
        lambda: fresh(ALL_VIEWS, width=8),
        lambda: fresh(LEVELS, absent=False),
    ],
    ids=["neighbours in place of sides", "fewer points", "another width", "fewer points, none absent"],
)
def test_other_networks_are_refused(without_neighbours, model):
    with pytest.raises(RunError, match="another architecture"):
        start_from(model(), without_neighbours)


def test_a_network_of_the_same_points_starts_from_a_released_one():
    released = StartingPoint(weights.find("phantom"), "")
    model = fresh((*ALL_VIEWS, *NEIGHBOURS))
    start_from(model, released)
    theirs = safe_loading.load(released.network.file).get_weights()
    assert all(np.array_equal(ours, old) for ours, old in zip(model.get_weights(), theirs, strict=True))


@pytest.mark.parametrize("name", weights.released())
def test_the_architecture_of_a_released_network_is_recorded_as_it_is(name):
    network = weights.find(name)
    names = models.point_names(safe_loading.load(network.file))
    settings = TrainingSettings(**weights.architecture(name))
    compiled(settings, names, 1, StartingPoint(network, ""))  # refuses another architecture
    assert settings.absent
    assert settings.views == network.views


def parsed(*words: str) -> TrainingSettings:
    """Return the settings of a ``train`` command."""
    parser = argparse.ArgumentParser()
    train.add_arguments(parser)
    return train.settings_of(parser.parse_args(words))


def test_a_command_that_names_no_architecture_takes_that_of_the_network_it_starts_from():
    settings = parsed("--weights", "phantom", "--epochs", "3")
    assert (settings.model, settings.activation, settings.absent) == ("heatmap", "gelu", True)
    assert (settings.views, settings.epochs) == (("sagittal", "coronal", "axial"), 3)
    asked = parsed("--weights", "phantom", "--model", "baseline", "--no-absent", "--views", "sagittal")
    assert (asked.model, asked.absent, asked.views) == ("baseline", False, ("sagittal",))
    assert parsed("--epochs", "3") == TrainingSettings(epochs=3)


def test_the_refusal_names_the_flags_that_a_released_network_needs():
    wanted = "--model heatmap --activation gelu --views sagittal coronal axial --absent"
    with pytest.raises(RunError, match=wanted):
        start_from(models.build("baseline", 5), StartingPoint(weights.find("phantom+mr"), ""))

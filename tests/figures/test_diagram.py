"""The diagram of a network says what the network is."""

import pytest

from lumbar import models
from lumbar.core.backend import keras
from lumbar.figures import network_diagram
from lumbar.figures.diagram import network_stages


@pytest.mark.parametrize("name", models.NETWORKS)
def test_each_network_has_a_diagram_with_all_its_weights(name, tmp_path):
    model = models.build(name, 5)
    stages, _ = network_stages(model)
    assert sum(stage.weights for stage in stages) == model.count_params()
    assert stages[0].shape == (256, 256, 1)
    assert stages[-1].shape == model.output_shape[1:]
    figure = network_diagram(model)
    figure.savefig(tmp_path / "diagram.png", dpi=40)
    assert f"{model.count_params():,} weights" in figure.alt


def test_the_documented_network_goes_down_to_numbers():
    stages, skips = network_stages(models.build("baseline", 5))
    assert [str(stage) for stage in stages[1:7]] == [
        *("256×256×8", "128×128×16", "64×64×32", "32×32×64", "16×16×64", "8×8×64")
    ]
    assert [str(stage) for stage in stages[7:]] == ["4,096", "128", "10", "5×2"]
    assert [stage.part for stage in stages] == ["encoder"] * 7 + ["numbers"] * 4
    assert stages[1].notes == ["3×3"]
    assert stages[8].weights == 4096 * 128 + 128
    assert skips == []


def test_a_u_net_goes_down_and_up_and_skips_across_at_each_size():
    stages, skips = network_stages(models.build("heatmap", 5))
    sides = [stage.side for stage in stages]
    bottom = sides.index(4)
    assert sides[: bottom + 1] == sorted(sides[: bottom + 1], reverse=True)
    assert sides[bottom:] == sorted(sides[bottom:])
    assert [stage.part for stage in stages] == ["encoder"] * (bottom + 1) + ["decoder"] * (len(stages) - bottom - 1)
    assert stages[1].notes == ["8×8\nstride 4"]
    assert sorted(sides[order] for order, _ in skips) == [8, 16, 32, 64]
    for order, later in skips:
        assert order < bottom < later
        assert stages[order].shape == stages[later].shape


def test_it_reads_a_network_made_by_hand():
    inputs = x = keras.Input((32, 32, 1))
    first = keras.layers.Conv2D(4, 5, padding="same")(x)
    x = keras.layers.Conv2D(8, 3, padding="same")(keras.layers.MaxPooling2D()(first))
    x = keras.layers.Conv2D(4, 1)(keras.layers.UpSampling2D()(x))
    model = keras.Model(inputs, keras.layers.Concatenate()([x, first]))
    stages, skips = network_stages(model)
    assert [str(stage) for stage in stages] == ["32×32×1", "32×32×4", "16×16×8", "32×32×4", "32×32×8"]
    assert skips == [(1, 4)]

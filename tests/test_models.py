"""The networks: what goes in and out, what their options change, and that soft-argmax is exact."""

import numpy as np
import pytest

from lumbar import layers, models
from lumbar.core.backend import keras
from lumbar.core.errors import RunError
from lumbar.weights import folding, safe_loading

DRAWING = ("heatmap", "transfer")
"""Networks that answer with maps."""


@pytest.mark.parametrize("name", models.NETWORKS)
@pytest.mark.parametrize("channels", [2, 7])
def test_a_picture_in_points_out(name, channels):
    model = models.build(name, channels)
    assert model.input_shape == (None, 256, 256, 1)
    answer = model(np.random.default_rng(0).random((2, 256, 256, 1), "float32"))
    assert answer.shape == ((2, 64, 64, channels) if name in DRAWING else (2, channels, 2))
    points = np.asarray(layers.to_points(answer))
    assert points.shape == (2, channels, 2)
    assert ((points > 0) & (points < 1)).all(), "unit coordinates"


@pytest.mark.parametrize("name", models.NETWORKS)
def test_options_change_the_network(name):
    plain = models.build(name, 5).count_params()
    assert models.build(name, 5, width=80).count_params() > plain
    assert models.build(name, 5, depth=2).count_params() != plain
    kinds = [type(layer).__name__ for layer in models.build(name, 5, batch_norm=False).layers]
    assert "BatchNormalization" not in kinds, "a backbone, which is a layer of its own here, keeps its"


def test_the_dense_layer_has_the_units_asked_for():
    units = [
        layer.units for layer in models.build("baseline", 5, dense=40).layers if isinstance(layer, keras.layers.Dense)
    ]
    assert units == [40, 10]


def test_an_unknown_network_is_named():
    with pytest.raises(ValueError, match="unet3d"):
        models.build("unet3d", 5)


def test_soft_argmax_gives_the_centre_of_a_pixel_in_unit_coordinates():
    maps = np.full((1, 64, 64, 2), -30.0, "float32")
    maps[0, 10, 20, 0] = maps[0, 63, 0, 1] = 30.0
    points = np.asarray(layers.SoftArgmax()(maps))
    np.testing.assert_allclose(points[0], [[20.5 / 64, 10.5 / 64], [0.5 / 64, 63.5 / 64]], atol=1e-6)


def test_soft_argmax_around_the_peak_is_not_drawn_to_a_second_one():
    maps = np.full((1, 64, 64, 1), -30.0, "float32")
    maps[0, 10, 20, 0], maps[0, 40, 20, 0] = 5.0, 4.9
    between = np.asarray(layers.SoftArgmax()(maps))[0, 0] * 64 - 0.5
    at_peak = np.asarray(layers.SoftArgmax(reach=3)(maps))[0, 0] * 64 - 0.5
    assert 20 < between[1] < 30
    np.testing.assert_allclose(at_peak, [20, 10], atol=1e-3)


def test_soft_argmax_moves_with_its_map_by_less_than_a_pixel():
    rows, columns = np.mgrid[:64, :64]
    for x, y in [(20.3, 30.8), (31.5, 12.0)]:
        maps = -((columns - x) ** 2 + (rows - y) ** 2)[None, :, :, None].astype("float32")
        points = np.asarray(layers.SoftArgmax()(maps))
        np.testing.assert_allclose(points[0, 0] * 64 - 0.5, [x, y], atol=1e-3)


@pytest.mark.parametrize("name", models.NETWORKS)
def test_saved_and_loaded_in_safe_mode_it_answers_the_same(name, tmp_path):
    model = models.build(name, 5, width=8, depth=3)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    pictures = np.random.default_rng(1).random((2, 256, 256, 1), "float32")
    np.testing.assert_array_equal(model(pictures), again(pictures))


@pytest.mark.parametrize("name", models.NETWORKS)
def test_made_for_answering_it_answers_the_same(name):
    model = models.build(name, 5, width=8, depth=3, activation="gelu")
    rng = np.random.default_rng(1)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):  # as after a training
            layer.set_weights([rng.uniform(0.5, 1.5, array.shape) for array in layer.get_weights()])
    pictures = rng.random((2, 256, 256, 1), "float32")
    before = model.predict_on_batch(pictures)
    quicker = folding.fold_for_inference(model)
    assert not [layer for layer in quicker.layers if isinstance(layer, keras.layers.BatchNormalization)]
    np.testing.assert_allclose(quicker.predict_on_batch(pictures), before, atol=1e-5)
    np.testing.assert_array_equal(model.predict_on_batch(pictures), before)


@pytest.mark.parametrize("training", [True, False])
def test_batch_normalisation_in_one_operation_is_that_of_keras(training):
    tensorflow = pytest.importorskip("tensorflow")
    rng = np.random.default_rng(2)
    pictures, start = rng.normal(1, 2, (3, 7, 5, 4)).astype("float32"), rng.uniform(0.5, 1.5, (4, 4))
    answers, gradients, weights = [], [], []
    for layer in (layers.BatchNormalization(momentum=0.9), keras.layers.BatchNormalization(momentum=0.9)):
        layer.build(pictures.shape)
        layer.set_weights(start)
        given = tensorflow.constant(pictures)
        with tensorflow.GradientTape() as tape:
            tape.watch(given)
            answers.append(layer(given, training=training))
            sums = tensorflow.reduce_sum(tensorflow.sin(answers[-1]))
        gradients.append(tape.gradient(sums, [given, layer.gamma.value, layer.beta.value]))
        weights.append(layer.get_weights())
    np.testing.assert_allclose(*answers, atol=1e-5)
    for ours, theirs in zip(*gradients, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-4)
    np.testing.assert_allclose(*map(np.array, weights), rtol=1e-5)
    assert training != np.array_equal(weights[0], start.astype("float32")), "statistics follow the training only"


def test_the_maps_behind_the_points():
    model = models.build("heatmap", 5)
    pictures = np.zeros((2, 256, 256, 1), "float32")
    maps = np.asarray(models.heatmaps(model)(pictures))
    assert maps.shape == (2, 64, 64, 5)
    np.testing.assert_allclose(maps.sum((1, 2)), 1, rtol=1e-4)


@pytest.mark.parametrize("name", ["heatmap", "transfer"])
def test_the_maps_of_a_network_that_knows_absent_points_add_up_to_less_than_one(name, tmp_path):
    names = ("T12/L1", "a", "b", "c", "d")
    model = models.build(name, 5, absent=names, width=4)
    model.save(tmp_path / "n.keras")
    keras.backend.clear_session()  # as in the process that loads it, layers are named from the beginning
    loaded = safe_loading.load(tmp_path / "n.keras")
    assert models.knows_absent(loaded)
    pictures = np.random.default_rng(0).random((2, 256, 256, 1)).astype(np.float32)
    answering = models.heatmaps(folding.fold_for_inference(loaded))
    maps = keras.ops.convert_to_numpy(answering(pictures))
    assert maps.min() >= 0
    assert ((maps.sum(axis=(1, 2)) > 0) & (maps.sum(axis=(1, 2)) < 1)).all()
    assert models.point_names(loaded) == names
    other = models.build(name, 5, width=4)
    assert not models.knows_absent(other)
    assert models.point_names(other) == ()


def test_a_closed_gate_lets_no_gradient_back_and_the_same_values_on():
    gate = layers.Gate()
    model = keras.Sequential([keras.Input((3,)), before := keras.layers.Dense(2), gate, after := keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.1), loss="mse")
    x, y = np.ones((4, 3), "float32"), np.full((4, 1), 5.0, "float32")
    opened = np.asarray(model(x))
    gate.opened.assign(0.0)
    np.testing.assert_allclose(model(x), opened)
    start = [layer.get_weights()[0].copy() for layer in (before, after)]
    model.train_on_batch(x, y)
    np.testing.assert_array_equal(before.get_weights()[0], start[0])
    assert not np.array_equal(after.get_weights()[0], start[1])
    gate.opened.assign(1.0)
    model.train_on_batch(x, y)
    assert not np.array_equal(before.get_weights()[0], start[0])


def test_a_fresh_backbone_knows_its_statistics_after_a_few_steps():
    """With the momentum of 0.999 that MobileNetV3 brings along, a trained network would answer as a fresh one."""
    backbone = next(layer for layer in models.build("transfer", 5).layers if isinstance(layer, keras.Model))
    kept = [layer.momentum for layer in backbone.layers if isinstance(layer, keras.layers.BatchNormalization)]
    assert kept
    assert max(kept) ** 20 < 0.2


def test_a_backbone_starts_from_a_file_of_weights_and_a_wrong_file_is_said(tmp_path):
    file = tmp_path / "backbone.weights.h5"
    known = keras.applications.MobileNetV3Small(include_top=False, weights=None, input_shape=(256, 256, 3))
    known.save_weights(file)
    model = models.build("transfer", 5, backbone_weights=str(file))
    inside = next(layer for layer in model.layers if isinstance(layer, keras.Model))
    for ours, theirs in zip(inside.get_weights(), known.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    (tmp_path / "wrong.weights.h5").write_bytes(b"nothing")
    with pytest.raises(RunError, match="backbone's weights"):
        models.build("transfer", 5, backbone_weights=str(tmp_path / "wrong.weights.h5"))

"""A network answers the same in every other runtime, and its file says what a program must know to use it."""

import json

import numpy as np
import pytest

from lumbar import engines, weights
from lumbar.cli.export import ENDINGS
from lumbar.cli.main import main
from lumbar.engines.exporting import FORMS, export
from lumbar.geometry import SIZE
from lumbar.landmarks import LEVELS

IMAGES = np.random.default_rng(0).random((2, SIZE, SIZE), np.float32)


def test_the_command_knows_every_form():
    assert list(ENDINGS) == list(FORMS)


def test_a_run_becomes_one_file_that_answers_for_it(run, tmp_path, capsys):
    assert main(["export", str(run), "--out", str(tmp_path / "mine.onnx")]) == 0
    found = weights.find(tmp_path / "mine.onnx")
    assert found.views == ("sagittal",)
    mine, theirs = (engines.start(file).answer(IMAGES) for file in (found.file, run / "best.keras"))
    np.testing.assert_array_equal(mine, theirs)


def test_the_file_says_what_a_program_must_know(run, tmp_path):
    import onnx

    model = onnx.load(export(weights.find(run), "onnx", tmp_path / "mine.onnx"))
    about = json.loads({each.key: each.value for each in model.metadata_props}["lumbar"])
    assert about["points"] == list(LEVELS)
    assert about["resize"] == "stretch"
    assert {"input", "output", "frame", "preparation", "licence"} <= set(about)


@pytest.mark.slow
def test_tensorflow_answers_the_same(tmp_path):
    import tensorflow as tf

    known = weights.find("phantom")
    saved = tf.saved_model.load(str(export(known, "saved-model", tmp_path / "saved")))
    found = np.moveaxis(saved.serve(IMAGES[..., None]), -1, 1)
    np.testing.assert_allclose(found, engines.start(known.file).answer(IMAGES), atol=1e-5)
    assert main(["export", "phantom", "--to", "saved-model", "--out", str(tmp_path / "saved")]) == 1


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*tf.lite.Interpreter is deprecated:UserWarning")
def test_litert_answers_the_same(tmp_path):
    import tensorflow as tf

    known = weights.find("phantom")
    file = export(known, "litert", tmp_path / "network.tflite")
    interpreter = tf.lite.Interpreter(str(file))
    interpreter.allocate_tensors()
    (takes,), (gives,) = interpreter.get_input_details(), interpreter.get_output_details()
    interpreter.set_tensor(takes["index"], IMAGES[:1, ..., None])
    interpreter.invoke()
    found = np.moveaxis(interpreter.get_tensor(gives["index"]), -1, 1)
    np.testing.assert_allclose(found, engines.start(known.file).answer(IMAGES[:1]), atol=1e-5)


def test_openvino_answers_the_same(tmp_path):
    openvino = pytest.importorskip("openvino", reason="OpenVINO needs the extra openvino")
    known = weights.find("phantom")
    file = export(known, "openvino", tmp_path / "network.xml")
    # Left to itself, OpenVINO computes in bfloat16 where the processor can.
    network = openvino.Core().compile_model(file, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    found = network(IMAGES[:, None])[0]
    np.testing.assert_allclose(found, engines.start(known.file).answer(IMAGES), atol=1e-4)

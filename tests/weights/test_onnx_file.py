"""An ONNX file may come from a stranger: ours are read, and those that ask for what ours do not need are refused."""

import json
import sys

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from lumbar import weights
from lumbar.core.errors import RunError, WeightsError
from lumbar.weights import onnx_file, safe_loading

OURS = weights.find("phantom").file.with_suffix(".onnx")


def changed(change, folder):
    """Write a released network with a change to it; `change` alters the parsed file."""
    model = onnx.load(OURS)
    change(model)
    onnx.save(model, folder / "changed.onnx")
    return folder / "changed.onnx"


def foreign_operator(model):
    model.graph.node[-1].op_type = "Sin"


def foreign_domain(model):
    model.graph.node[-1].domain = "com.example"
    model.opset_import.append(helper.make_opsetid("com.example", 1))


def graph_in_a_graph(model):
    inner = helper.make_graph([], "inner", [], [])
    model.graph.node[-1].attribute.append(helper.make_attribute("then_branch", inner))


def function(model):
    model.functions.append(helper.make_function("com.example", "Twice", ["x"], ["y"], [], []))


def weights_elsewhere(model):
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "weights.bin"


def another_input_size(model):
    model.graph.input[0].type.tensor_type.shape.dim[3].dim_value = 512


def another_input_name(model):
    model.graph.input[0].name = "x"
    for node in model.graph.node:
        node.input[:] = ["x" if name == "image" else name for name in node.input]


def two_answers(model):
    model.graph.output.append(helper.make_tensor_value_info(model.graph.node[0].output[0], TensorProto.FLOAT, None))


def features_as_answer(model):
    first = next(node for node in model.graph.node if node.op_type == "Conv")
    model.graph.node.append(helper.make_node("MaxPool", first.output, ["half"], kernel_shape=[2, 2], strides=[2, 2]))
    model.graph.output[0].CopyFrom(helper.make_tensor_value_info("half", TensorProto.FLOAT, ["batch", 32, 32, 32]))


def absurd_size(model):
    scales = numpy_helper.from_array(np.array([1, 1, 4096, 4096], np.float32), "absurd")
    model.graph.initializer.append(scales)
    (name,) = (each.name for each in model.graph.output)
    model.graph.node.append(helper.make_node("Resize", [name, "", "absurd"], ["large"], mode="nearest"))
    model.graph.output[0].CopyFrom(helper.make_tensor_value_info("large", TensorProto.FLOAT, None))


def unconnected(model):
    model.graph.node[3].input[0] = "nowhere"


def says_nothing(model):
    del model.metadata_props[:]


def says(**facts):
    def change(model):
        about = json.loads(model.metadata_props[0].value) | facts
        helper.set_model_props(model, {onnx_file.META: json.dumps(about)})

    change.__name__ = f"says {facts}"
    return change


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (foreign_operator, "operators"),
        (foreign_domain, "operators"),
        (graph_in_a_graph, "operators"),
        (function, "operators"),
        (weights_elsewhere, "in other files"),
        (another_input_size, "images of the size"),
        (another_input_name, "images of the size"),
        (two_answers, "more than one answer"),
        (features_as_answer, "other than points"),
        (absurd_size, "absurdly large"),
        (unconnected, "cannot be read"),
        (says_nothing, "does not say what"),
        (says(answer="poetry"), "does not say what"),
        (says(points=[1, 2]), "does not say what"),
        (says(may_be_absent="yes"), "does not say what"),
    ],
    ids=lambda each: getattr(each, "__name__", ""),
)
def test_a_file_unlike_ours_is_refused(change, says, tmp_path):
    file = changed(change, tmp_path)
    with pytest.raises(WeightsError, match=says) as refusal:
        onnx_file.check(file)
    assert str(file) in str(refusal.value)


@pytest.mark.parametrize("content", [b"", b"no network", OURS.read_bytes()[:70_000], bytes(9000)], ids=len)
def test_a_damaged_file_is_refused(content, tmp_path):
    (tmp_path / "damaged.onnx").write_bytes(content)
    with pytest.raises(WeightsError):
        weights.find(tmp_path / "damaged.onnx")


def test_a_huge_file_is_refused_before_it_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(onnx_file, "LARGEST_FILE", 1000)
    monkeypatch.setitem(sys.modules, "onnx.checker", None)
    with pytest.raises(WeightsError, match="absurdly large"):
        onnx_file.check(OURS)


@pytest.mark.parametrize(
    "facts", [{"views": []}, {"views": ["oblique"]}, {"resize": "crop"}, {"slope": "steep"}, {"views": 3}], ids=str
)
def test_a_file_that_does_not_say_for_which_images_it_was_trained_is_no_network(facts, tmp_path):
    with pytest.raises(WeightsError, match="for which images"):
        weights.find(changed(says(**facts), tmp_path))


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(RunError, match="no such network"):
        weights.find(tmp_path / "gone.onnx")


def test_keras_says_that_it_cannot_load_it():
    with pytest.raises(WeightsError, match="leave out --engine keras"):
        safe_loading.load(OURS)

"""The ONNX files that hold our networks: what is in them, and a check of those that come from a stranger.

An ONNX file runs no code of whoever wrote it. But it may name operators that read other files, point to weights outside
its folder, or ask for more memory than there is; `check` refuses whatever our own files do not need.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lumbar.core.errors import WeightsError
from lumbar.geometry import SIZE

if TYPE_CHECKING:
    import onnx

OPSET = 20
"""Version of the ONNX operators; the first with Gelu."""

IMAGE = "image"
"""Name of the input."""

META = "lumbar"
"""Name of the entry in the file's metadata that says what the network is: JSON, see `lumbar.weights.onnx_graph`."""

ANSWERS = ("probabilities", "unit coordinates")
"""What a network answers with: for each pixel the probability that the point lies there, or the point itself."""

OPERATORS = {
    *("Add", "BatchNormalization", "Cast", "Concat", "Conv", "Div", "Elu", "Exp", "Gelu", "Gemm", "GlobalAveragePool"),
    *("HardSigmoid", "HardSwish", "Identity", "MaxPool", "Min", "Mul", "Pad", "ReduceLogSumExp", "Relu", "Reshape"),
    *("Resize", "Sigmoid", "Softmax", "Softplus", "Sub", "Transpose"),
}
"""The operators that our networks consist of."""

LARGEST_FILE = 2**29
"""Bytes. The largest of our networks has 80 MB."""

LARGEST_ARRAY = 2**24
"""Numbers in one array between two layers, for one image. The largest of our networks have 1.5 million."""


def check(file: Path) -> dict[str, Any]:
    """Refuse an ONNX file that is not a network of ours.

    Returns:
        What it says about the network, see `parse_about`.

    Raises:
        WeightsError: If the file is damaged or huge, has other inputs and outputs or other operators than our networks,
            keeps weights in other files, or would need absurd amounts of memory.
    """
    import onnx

    if (size := file.stat().st_size) > LARGEST_FILE:
        raise WeightsError("the network's file is absurdly large", file=file, found=f"{size} bytes")
    try:
        model = onnx.load(file, load_external_data=False)
        _check_parts(file, model)
        # Arrays of one image: the number of images in a batch is left open in the file.
        model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
        model = onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
        onnx.checker.check_model(model)
    except (WeightsError, MemoryError):
        raise
    except Exception as error:  # damaged files make protobuf and onnx raise many things
        raise damaged(file, error) from error
    _check_sizes(file, model)
    return parse_about(file, {each.key: each.value for each in model.metadata_props})


def _check_parts(file: Path, model: onnx.ModelProto) -> None:
    """Refuse operators, subgraphs and places of weights that our networks do not have, and other inputs and outputs."""
    import onnx

    if [(each.name, _shape(each)[1:]) for each in model.graph.input] != [(IMAGE, [1, SIZE, SIZE])]:
        raise WeightsError(
            "the network does not take images of the size that lumbar prepares",
            file=file,
            field="input",
            found=", ".join(f"{each.name} {_shape(each)}" for each in model.graph.input) or "none",
            expected=f"{IMAGE} [batch, 1, {SIZE}, {SIZE}]",
        )
    if len(model.graph.output) != 1:
        raise WeightsError("the network has more than one answer", file=file, found=len(model.graph.output))
    foreign = {node.op_type for node in model.graph.node if node.domain or node.op_type not in OPERATORS}
    foreign |= {function.name for function in model.functions}
    foreign |= {"sparse weights" for _ in model.graph.sparse_initializer}
    attributes = [each for node in model.graph.node for each in node.attribute]
    foreign |= {"a graph in a graph" for each in attributes if each.HasField("g") or each.graphs}
    if foreign:
        raise WeightsError(
            "the network's file uses operators that the networks of lumbar do not have",
            file=file,
            found=", ".join(sorted(foreign)),
            remedy="do not use this file; networks that lumbar has written load without this error",
        )
    tensors = [*model.graph.initializer, *(each.t for each in attributes if each.HasField("t"))]
    if any(tensor.data_location == onnx.TensorProto.EXTERNAL or tensor.external_data for tensor in tensors):
        raise WeightsError("the network's file keeps weights in other files", file=file, expected="one file")


def _check_sizes(file: Path, model: onnx.ModelProto) -> None:
    """Refuse a network whose arrays between two layers are absurdly large, or of unknown size."""
    for each in (*model.graph.value_info, *model.graph.output):
        shape = _shape(each)
        if not all(isinstance(length, int) for length in shape) or np.prod(shape, dtype=float) > LARGEST_ARRAY:
            raise WeightsError("a layer of the network is absurdly large", file=file, field=each.name, found=shape)
    (answer,) = map(_shape, model.graph.output)
    if answer[2:] not in ([2], [SIZE // 4, SIZE // 4]):
        raise WeightsError(
            "the network answers with something other than points",
            file=file,
            field="output",
            found=answer,
            expected=f"[batch, points, {SIZE // 4}, {SIZE // 4}] or [batch, points, 2]",
        )


def _shape(value: onnx.ValueInfoProto) -> list[int | str]:
    """Return the shape of an array; a length that is left open is its name."""
    dims = value.type.tensor_type.shape.dim
    return [each.dim_value if each.HasField("dim_value") else each.dim_param for each in dims]


def damaged(file: Path, error: Exception) -> WeightsError:
    """Return the error for a file that cannot be read."""
    return WeightsError(
        "the network's file cannot be read",
        file=file,
        found=(str(error).strip() or type(error).__name__).splitlines()[0],
        expected="an .onnx file that lumbar has written",
        remedy="copy it again, or export the network again",
    )


def parse_about(file: Path, metadata: dict[str, str]) -> dict[str, Any]:
    """Return what an ONNX file says about its network.

    Args:
        file: The file.
        metadata: Its metadata, name → text.

    Raises:
        WeightsError: If it says nothing that lumbar understands.
    """
    try:
        about = json.loads(metadata[META])
        texts = all(isinstance(name, str) for name in about["points"])
        if not texts or about["answer"] not in ANSWERS or not isinstance(about["may_be_absent"], bool):
            raise ValueError(about)
    except (KeyError, ValueError, TypeError, RecursionError) as error:
        raise WeightsError(
            "the file does not say what its network answers",
            file=file,
            field=f"metadata {META}",
            expected="an .onnx file that lumbar has written",
            remedy="export the network again with `python -m lumbar export`",
        ) from error
    return about

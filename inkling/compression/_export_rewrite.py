"""The graph of a foreign model between inputs and outputs of the house."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import compose, helper, numpy_helper, version_converter

from inkling.compression._export_take import Found
from inkling.core.errors import BundleError

_LEAST_OPSET, _OPSET = 13, 17  # sums take their axes as an input from 13 on
_THEIRS = "theirs/"
_TYPES = {
    "tensor(int64)": onnx.TensorProto.INT64, "tensor(int32)": onnx.TensorProto.INT32,
    "tensor(float)": onnx.TensorProto.FLOAT, "tensor(bool)": onnx.TensorProto.BOOL,
}  # fmt: skip


def as_encoder(found: Found, pooling: str) -> bytes:
    """Return a network that reads ``input_ids, attention_mask`` (N, T) int64 and gives ``vectors`` (N, dim) float32.

    Raises:
        BundleError: Its operators are too old to be brought up to date, or an input is of a type that tokens have not.
    """
    model = compose.add_prefix(_up_to_date(onnx.load_from_string(found.graph)), _THEIRS)
    before = [node for name, role in found.roles.items() for node in _input(name, role, found.types[name])]
    out = _THEIRS + found.output
    after = _pool(out, pooling) if not found.is_pooled else _cast(out, "vectors", onnx.TensorProto.FLOAT)
    graph = model.graph
    whole = onnx.TensorProto.INT64
    inputs = [helper.make_tensor_value_info(n, whole, ["n", "t"]) for n in ("input_ids", "attention_mask")]
    output = helper.make_tensor_value_info("vectors", onnx.TensorProto.FLOAT, ["n", found.dim])
    nodes = [*before, *graph.node, *after]
    del graph.node[:], graph.input[:], graph.output[:]
    graph.node.extend(nodes)
    graph.input.extend(inputs)
    graph.output.extend([output])
    graph.initializer.extend([numpy_helper.from_array(value, name) for name, value in _CONSTANTS.items()])
    return bytes(model.SerializeToString())


_CONSTANTS: dict[str, Any] = {
    "one": np.array(1, np.int64),
    "second": np.array([1], np.int64),
    "last": np.array([-1], np.int64),
}


def _up_to_date(model: onnx.ModelProto) -> onnx.ModelProto:
    version = next((each.version for each in model.opset_import if each.domain in ("", "ai.onnx")), 0)
    if version >= _LEAST_OPSET:
        return model
    try:
        return version_converter.convert_version(model, _OPSET)
    except Exception as error:  # the converter raises RuntimeError or what its C++ part throws
        raise BundleError(
            f"The network is of operator set {version}, and cannot be brought to {_OPSET}: "
            f"{str(error).splitlines()[0][:200]}",
            hint=f"Export it again for operator set {_LEAST_OPSET} or later.",
        ) from error


def _input(name: str, role: str, kind: str) -> list[onnx.NodeProto]:
    """Return what makes one of their inputs from ours."""
    if kind not in _TYPES:
        raise BundleError(f"The input '{name}' is of type {kind}; tokens are {', '.join(_TYPES)}.")
    theirs, made = _THEIRS + name, f"ours/{role}"
    if role == "ids":
        return _cast("input_ids", theirs, _TYPES[kind])
    if role == "mask":
        return _cast("attention_mask", theirs, _TYPES[kind])
    if role == "segments":
        return [helper.make_node("Sub", ["input_ids", "input_ids"], [made]), *_cast(made, theirs, _TYPES[kind])]
    return [
        helper.make_node("Sub", ["attention_mask", "attention_mask"], [f"{made}.zeros"]),
        helper.make_node("Add", [f"{made}.zeros", "one"], [f"{made}.ones"]),
        helper.make_node("CumSum", [f"{made}.ones", "one"], [f"{made}.counted"]),
        helper.make_node("Sub", [f"{made}.counted", "one"], [made]),
        *_cast(made, theirs, _TYPES[kind]),
    ]


def _cast(name: str, out: str, kind: int) -> list[onnx.NodeProto]:
    return [helper.make_node("Cast", [name], [out], to=kind)]


def _pool(hidden: str, pooling: str) -> list[onnx.NodeProto]:
    """Return what makes one vector of (N, T, dim): the mean of real tokens, the first, or the last."""
    real = helper.make_node("Cast", ["attention_mask"], ["pool/real"], to=onnx.TensorProto.FLOAT)
    return [
        *_cast(hidden, "pool/hidden", onnx.TensorProto.FLOAT), real, *_weights(pooling),
        helper.make_node("Unsqueeze", ["pool/weights", "last"], ["pool/column"]),
        helper.make_node("Mul", ["pool/hidden", "pool/column"], ["pool/kept"]),
        helper.make_node("ReduceSum", ["pool/kept", "second"], ["pool/total"], keepdims=0),
        helper.make_node("ReduceSum", ["pool/weights", "second"], ["pool/size"], keepdims=1),
        helper.make_node("Div", ["pool/total", "pool/size"], ["vectors"]),
    ]  # fmt: skip


def _weights(pooling: str) -> list[onnx.NodeProto]:
    """Return what makes (N, T): 1 where a token counts."""
    if pooling == "mean":
        return [helper.make_node("Identity", ["pool/real"], ["pool/weights"])]
    counted = helper.make_node("CumSum", ["attention_mask", "one"], ["pool/counted"])
    if pooling == "cls":
        at = helper.make_node("Equal", ["pool/counted", "one"], ["pool/at"])
        found = [counted, at]
    else:
        total = helper.make_node("ReduceSum", ["attention_mask", "second"], ["pool/n"], keepdims=1)
        found = [counted, total, helper.make_node("Equal", ["pool/counted", "pool/n"], ["pool/at"])]
    is_at = helper.make_node("Cast", ["pool/at"], ["pool/place"], to=onnx.TensorProto.FLOAT)
    return [*found, is_at, helper.make_node("Mul", ["pool/place", "pool/real"], ["pool/weights"])]

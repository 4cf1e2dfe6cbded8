"""An ONNX graph with its weights as int8, and activations quantised by row, so that no text knows its neighbours.

ONNX Runtime's own dynamic quantisation takes one scale for a whole batch: a text's vector then depends on the texts
beside it. Here each row of activations is divided by its own largest value first, after which one constant scale serves
all rows. Weights are uint8 with a scale per column: such products never saturate, on any processor.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from inkling.core.arrays import Array

_MICROSOFT = "com.microsoft"
_LEAST_WEIGHTS = 256  # a matrix smaller than this costs more in nodes than it saves
_LEAST_ROW = 1e-12


def quantized(graph: bytes) -> bytes:
    """Return the graph with products by constant matrices and tables of vectors in int8."""
    model = onnx.load_from_string(graph)
    _Quantizer(model).run()
    if all(opset.domain != _MICROSOFT for opset in model.opset_import):
        model.opset_import.append(helper.make_opsetid(_MICROSOFT, 1))
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


class _Quantizer:
    """Rewrites one graph, node by node."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.graph = model.graph
        self.weights: dict[str, Array] = {t.name: numpy_helper.to_array(t) for t in self.graph.initializer}
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, Array] = {
            "int8.step": np.array(1 / 127, np.float32),
            "int8.zero": np.array(128, np.uint8),
            "int8.least": np.array(_LEAST_ROW, np.float32),
        }

    def run(self) -> None:
        """Replace the graph's nodes and constants."""
        for node in self.graph.node:
            self._rewrite(node)
        used = {name for node in self.nodes for name in node.input}
        kept = [tensor for tensor in self.graph.initializer if tensor.name in used]
        made = [numpy_helper.from_array(np.asarray(v), k) for k, v in self.constants.items() if k in used]
        del self.graph.node[:], self.graph.initializer[:]
        self.graph.node.extend(self.nodes)
        self.graph.initializer.extend([*kept, *made])

    def _rewrite(self, node: onnx.NodeProto) -> None:
        if node.op_type == "MatMul" and self._is_matrix(node.input[1]):
            self._product(node.input[0], node.input[1], self.weights[node.input[1]], node.output[0])
        elif node.op_type == "Gemm" and self._is_matrix(node.input[1]) and _is_plain(node):
            self._gemm(node)
        elif node.op_type == "Gather" and self._is_matrix(node.input[0]) and not _axis(node):
            self._table(node)
        else:
            self.nodes.append(node)

    def _is_matrix(self, name: str) -> bool:
        weight = self.weights.get(name)
        return weight is not None and weight.ndim == 2 and weight.dtype == np.float32 and weight.size >= _LEAST_WEIGHTS

    def _add(self, op: str, inputs: list[str], output: str, *, domain: str = "", **attributes: Any) -> str:
        self.nodes.append(helper.make_node(op, inputs, [output], name=output, domain=domain, **attributes))
        return output

    def _gemm(self, node: onnx.NodeProto) -> None:
        transposed = any(a.name == "transB" and a.i for a in node.attribute)
        weight = self.weights[node.input[1]]
        name = f"{node.input[1]}.t" if transposed else node.input[1]
        has_bias = len(node.input) > 2 and node.input[2] != ""
        out = f"{node.output[0]}.raw" if has_bias else node.output[0]
        self._product(node.input[0], name, weight.T if transposed else weight, out)
        if has_bias:
            self._add("Add", [out, node.input[2]], node.output[0])

    def _product(self, x: str, name: str, weight: Array, out: str) -> None:
        size = self._add("Abs", [x], f"{out}.size")
        most = self._add("ReduceMax", [size], f"{out}.most", axes=[-1], keepdims=1)
        row = self._add("Max", [most, "int8.least"], f"{out}.row")
        unit = self._add("Div", [x, row], f"{out}.unit")
        levels = self._add("QuantizeLinear", [unit, "int8.step", "int8.zero"], f"{out}.levels")
        scale = np.maximum(np.abs(weight).max(axis=0) / 127, _LEAST_ROW).astype(np.float32)
        self.constants[f"{name}.int8"] = (np.clip(np.round(weight / scale), -127, 127) + 128).astype(np.uint8)
        self.constants[f"{name}.scale"] = scale
        self.constants[f"{name}.zero"] = np.full(len(scale), 128, np.uint8)
        given = [levels, f"{name}.int8", "int8.step", f"{name}.scale", "int8.zero", f"{name}.zero"]
        product = self._add("MatMulIntegerToFloat", given, f"{out}.product", domain=_MICROSOFT)
        self._add("Mul", [product, row], out)

    def _table(self, node: onnx.NodeProto) -> None:
        """Vectors as int8 with a scale for each."""
        name, rows, out = node.input[0], node.input[1], node.output[0]
        table = self.weights[name]
        scale = np.maximum(np.abs(table).max(axis=1, keepdims=True) / 127, _LEAST_ROW).astype(np.float32)
        self.constants[f"{name}.table"] = np.round(table / scale).astype(np.int8)
        self.constants[f"{name}.sizes"] = scale
        levels = self._add("Gather", [f"{name}.table", rows], f"{out}.levels", axis=0)
        real = self._add("Cast", [levels], f"{out}.real", to=onnx.TensorProto.FLOAT)
        sizes = self._add("Gather", [f"{name}.sizes", rows], f"{out}.sizes", axis=0)
        self._add("Mul", [real, sizes], out)


def _axis(node: onnx.NodeProto) -> int:
    return next((a.i for a in node.attribute if a.name == "axis"), 0)


def _is_plain(node: onnx.NodeProto) -> bool:
    """Tell whether a Gemm is ``x W + b`` (or ``x W' + b``) and nothing else."""
    said = {a.name: a.f if a.name in {"alpha", "beta"} else a.i for a in node.attribute}
    return said.get("alpha", 1.0) == 1.0 and said.get("beta", 1.0) == 1.0 and not said.get("transA", 0)

"""An ONNX graph with its weights as int8, and activations quantised so that no text knows its neighbours.

ONNX Runtime's own dynamic quantisation takes one scale for a whole batch: a text's vector then depends on the texts
beside it. Here each row of activations is divided by its own largest value first, after which one constant scale serves
all rows; or a scale that was measured beforehand serves every row there will be (``fixed``). Weights are uint8 with a
scale per column: such products never saturate, on any processor.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from inkling.core.arrays import F32, Array

_MICROSOFT = "com.microsoft"
_LEAST_WEIGHTS = 256  # a matrix smaller than this costs more in nodes than it saves
_LEAST_ROWS = 16  # of a table of vectors, likewise
_LEAST_ROW = 1e-12
_GELUS = frozenset({"BiasGelu", "FastGelu", "Gelu"})
_GELU_ZERO, _GELU_LEVELS = 40, 215  # GELU's least value is -0.17: forty levels below zero are enough when max >= 1
_NEVER_ZERO = frozenset({"LayerNormalization", "SkipLayerNormalization"})  # no row of theirs is all zero


@dataclass(frozen=True, eq=False)
class Fixed:
    """How the inputs of one product become whole numbers, known beforehand.

    Attributes:
        step: Between two levels.
        zero: The level of zero, 0 to 255.
        smooth: (K,) what inputs are multiplied by first, and weights divided by: outliers move into the weights.
    """

    step: float
    zero: int
    smooth: F32 | None = None


@dataclass(frozen=True, eq=False)
class Product:
    """A product by a constant matrix: ``x @ weight``, shapes (..., K) and (K, M)."""

    x: str
    out: str
    weight: F32


def quantized(graph: bytes, *, fixed: Mapping[str, Fixed] | None = None) -> bytes:
    """Return the graph with products by constant matrices and tables of vectors in int8.

    Args:
        graph: In float32.
        fixed: A product's output -> how its inputs are quantised; products that are not named are quantised by row.
    """
    model = onnx.load_from_string(graph)
    _Quantizer(model, fixed or {}).run()
    if all(opset.domain != _MICROSOFT for opset in model.opset_import):
        model.opset_import.append(helper.make_opsetid(_MICROSOFT, 1))
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def products(model: onnx.ModelProto) -> list[Product]:
    """Return the products that :func:`quantized` would rewrite, in the graph's order."""
    weights = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    found = []
    for node in model.graph.node:
        if node.op_type == "MatMul" and _is_large(weights.get(node.input[1])):
            found.append(Product(node.input[0], node.output[0], weights[node.input[1]]))
        elif node.op_type == "Gemm" and _is_large(weights.get(node.input[1])) and _is_plain(node):
            weight = weights[node.input[1]]
            found.append(Product(node.input[0], _before_bias(node), weight.T if _is_transposed(node) else weight))
    return found


def columns_int8(weight: Array) -> tuple[Array, F32]:
    """Return levels (K, M) from -127 to 127 and a scale for each column (M,)."""
    scale = np.maximum(np.abs(weight).max(axis=0) / 127, _LEAST_ROW).astype(np.float32)
    return np.clip(np.round(weight / scale), -127, 127), scale


class _Quantizer:
    """Rewrites one graph, node by node."""

    def __init__(self, model: onnx.ModelProto, fixed: Mapping[str, Fixed]) -> None:
        self.graph, self.fixed = model.graph, fixed
        self.weights: dict[str, Array] = {t.name: numpy_helper.to_array(t) for t in self.graph.initializer}
        self.made_by = {out: node.op_type for node in self.graph.node for out in node.output}
        self.readers: dict[str, list[onnx.NodeProto]] = {}
        for node in self.graph.node:
            for name in node.input:
                self.readers.setdefault(name, []).append(node)
        self.gone: set[str] = set()
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, Array] = {
            "int8.step": np.array(1 / 127, np.float32),
            "int8.zero": np.array(128, np.uint8),
            "int8.least": np.array(_LEAST_ROW, np.float32),
            "int8.gelu.step": np.array(1 / _GELU_LEVELS, np.float32),
            "int8.gelu.zero": np.array(_GELU_ZERO, np.uint8),
            "int8.gelu.least": np.array(1, np.float32),
        }

    def run(self) -> None:
        """Replace the graph's nodes and constants."""
        for node in self.graph.node:
            if not node.output or node.output[0] not in self.gone:
                self._rewrite(node)
        used = {name for node in self.nodes for name in node.input}
        kept = [tensor for tensor in self.graph.initializer if tensor.name in used]
        made = [numpy_helper.from_array(np.ascontiguousarray(v), k) for k, v in self.constants.items() if k in used]
        del self.graph.node[:], self.graph.initializer[:]
        self.graph.node.extend(self.nodes)
        self.graph.initializer.extend([*kept, *made])

    def _rewrite(self, node: onnx.NodeProto) -> None:
        if node.op_type == "MatMul" and self._is_matrix(node.input[1]):
            self._product(node.input[0], node.input[1], self.weights[node.input[1]], node.output[0])
        elif node.op_type == "Gemm" and self._is_matrix(node.input[1]) and _is_plain(node):
            self._gemm(node)
        elif node.op_type == "Gather" and self._is_table(node.input[0]) and not _axis(node):
            self._table(node)
        else:
            self.nodes.append(node)

    def _is_matrix(self, name: str) -> bool:
        return _is_large(self.weights.get(name))

    def _is_table(self, name: str) -> bool:
        return self._is_matrix(name) and len(self.weights[name]) >= _LEAST_ROWS

    def _add(self, op: str, inputs: list[str], output: str, *, domain: str = "", **attributes: Any) -> str:
        self.nodes.append(helper.make_node(op, inputs, [output], name=output, domain=domain, **attributes))
        return output

    def _gemm(self, node: onnx.NodeProto) -> None:
        transposed, weight = _is_transposed(node), self.weights[node.input[1]]
        name = f"{node.input[1]}.t" if transposed else node.input[1]
        out = _before_bias(node)
        self._product(node.input[0], name, weight.T if transposed else weight, out)
        if out != node.output[0]:
            self._add("Add", [out, node.input[2]], node.output[0])

    def _product(self, x: str, name: str, weight: Array, out: str) -> None:
        if out in self.fixed:
            self._by_fixed(x, name, weight, out, self.fixed[out])
        else:
            self._by_row(x, name, weight, out)

    def _by_row(self, x: str, name: str, weight: Array, out: str) -> None:
        gelu = self.made_by.get(x) in _GELUS
        step, zero = ("int8.gelu.step", "int8.gelu.zero") if gelu else ("int8.step", "int8.zero")
        row = self._row_size(x, out, gelu=gelu)
        unit = self._add("Div", [x, row], f"{out}.unit")
        levels = self._add("QuantizeLinear", [unit, step, zero], f"{out}.levels")
        product = self._whole(levels, step, zero, name, weight, f"{out}.product")
        self._add("Mul", [product, row], out)

    def _row_size(self, x: str, out: str, *, gelu: bool) -> str:
        if gelu:
            most = self._add("ReduceMax", [x], f"{out}.most", axes=[-1], keepdims=1)
            return self._add("Max", [most, "int8.gelu.least"], f"{out}.row")
        size = self._add("Abs", [x], f"{out}.size")
        most = self._add("ReduceMax", [size], f"{out}.most", axes=[-1], keepdims=1)
        if self.made_by.get(x) in _NEVER_ZERO:
            return most
        return self._add("Max", [most, "int8.least"], f"{out}.row")

    def _by_fixed(self, x: str, name: str, weight: Array, out: str, how: Fixed) -> None:
        if how.smooth is not None:
            self.constants[f"{out}.smooth"] = how.smooth
            x = self._add("Mul", [x, f"{out}.smooth"], f"{out}.smoothed")
            weight, name = weight / how.smooth[:, None], f"{out}.weight"
        step, zero = f"{out}.step", f"{out}.zero"
        self.constants[step] = np.array(how.step, np.float32)
        self.constants[zero] = np.array(how.zero, np.uint8)
        levels = self._add("QuantizeLinear", [x, step, zero], f"{out}.levels")
        bias, final = self._bias_behind(out)
        self._whole(levels, step, zero, name, weight, final, bias)

    def _bias_behind(self, out: str) -> tuple[str, str]:
        """Return the bias that alone reads a product and what it makes of it; the product itself without one."""
        readers = self.readers.get(out, [])
        if len(readers) != 1 or readers[0].op_type != "Add":
            return "", out
        other = next((name for name in readers[0].input if name != out), "")
        if other not in self.weights or self.weights[other].ndim != 1:
            return "", out
        self.gone.add(readers[0].output[0])
        return other, readers[0].output[0]

    def _whole(self, levels: str, step: str, zero: str, name: str, weight: Array, out: str, bias: str = "") -> str:
        whole, scale = columns_int8(weight)
        self.constants[f"{name}.int8"] = (whole + 128).astype(np.uint8)
        self.constants[f"{name}.scale"] = scale
        given = [levels, f"{name}.int8", step, f"{name}.scale", zero, "int8.zero", *([bias] if bias else [])]
        return self._add("MatMulIntegerToFloat", given, out, domain=_MICROSOFT)

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


def _is_large(weight: Array | None) -> bool:
    return weight is not None and weight.ndim == 2 and weight.dtype == np.float32 and weight.size >= _LEAST_WEIGHTS


def _is_transposed(node: onnx.NodeProto) -> bool:
    return any(a.name == "transB" and a.i for a in node.attribute)


def _before_bias(node: onnx.NodeProto) -> str:
    """Return what a Gemm's product is called before its bias is added."""
    has_bias = len(node.input) > 2 and node.input[2] != ""
    return f"{node.output[0]}.raw" if has_bias else str(node.output[0])


def _axis(node: onnx.NodeProto) -> int:
    return next((a.i for a in node.attribute if a.name == "axis"), 0)


def _is_plain(node: onnx.NodeProto) -> bool:
    """Tell whether a Gemm is ``x W + b`` (or ``x W' + b``) and nothing else."""
    said = {a.name: a.f if a.name in {"alpha", "beta"} else a.i for a in node.attribute}
    return said.get("alpha", 1.0) == 1.0 and said.get("beta", 1.0) == 1.0 and not said.get("transA", 0)

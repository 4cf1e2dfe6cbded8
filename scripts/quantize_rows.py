"""Rewrite a fused BERT graph to int8 with one scale per row of activations, so that no text knows its neighbours.

ONNX Runtime's dynamic quantisation takes one scale for a whole batch: a text's vector then depends on the texts beside
it, and outliers cost everybody. Here each row is divided by its own largest value first, after which one constant scale
serves all rows. Weights are uint8 with a scale per column: uint8 x uint8 products never saturate, on any processor.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

MICROSOFT = "com.microsoft"
PREFIX = "bert."
GELU_ZERO, GELU_LEVELS = 40, 215  # GELU's least value is -0.17: forty levels below zero are enough when max >= 1


class RowQuantizer:
    """Builds the int8 graph node by node from the fused float graph."""

    def __init__(self, fused: onnx.ModelProto, *, max_tokens: int) -> None:
        self.graph = fused.graph
        self.weights = {t.name: numpy_helper.to_array(t) for t in fused.graph.initializer}
        self.max_tokens = max_tokens
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, NDArray] = {}

    def build(self) -> onnx.ModelProto:
        """Return the model: ``input_ids, attention_mask`` (N, T) int64 -> ``vectors`` (N, dim) of length 1."""
        self._shared_constants()
        self._embed()
        attention_inputs: dict[str, list[onnx.NodeProto]] = {}
        for node in self.graph.node:
            if node.op_type in ("Cast", "EmbedLayerNormalization"):
                continue
            if node.op_type == "MatMul" and "attention/self" in node.name:
                group = attention_inputs.setdefault(node.input[0], [])
                group.append(node)
                if len(group) == 3:
                    self._query_key_value(group)
            elif node.op_type == "MatMul":
                self._linear(node.input[0], self.weights[node.input[1]], node.output[0])
            else:
                self._copy(node)
        self._pool(self.graph.output[0].name)
        return self._model()

    def _add(self, op: str, inputs: list[str], output: str, domain: str = "", **attributes: object) -> str:
        self.nodes.append(helper.make_node(op, inputs, [output], name=output, domain=domain, **attributes))
        return output

    def _constant(self, name: str, value: NDArray) -> str:
        self.constants[name] = value
        return name

    def _shared_constants(self) -> None:
        self._constant("one", np.float32(1))
        self._constant("step", np.array(1 / 127, np.float32))
        self._constant("zero", np.array(128, np.uint8))
        self._constant("gelu_step", np.array(1 / GELU_LEVELS, np.float32))
        self._constant("gelu_zero", np.array(GELU_ZERO, np.uint8))
        self._constant("first", np.array([0], np.int64))
        self._constant("second", np.array([1], np.int64))
        self._constant("last", np.array([-1], np.int64))

    def _embed(self) -> None:
        """Word vectors as int8 with a scale per word; positions and the one segment stay float."""
        part = PREFIX + "embeddings."
        words = self.weights[part + "word_embeddings.weight"]
        scale = (np.abs(words).max(axis=1, keepdims=True) / 127).astype(np.float32)
        self._constant("words", np.round(words / scale).astype(np.int8))
        self._constant("words_scale", scale)
        positions = self.weights[part + "position_embeddings.weight"][: self.max_tokens]
        segment = self.weights[part + "token_type_embeddings.weight"][:1]
        self._constant("positions", (positions + segment).astype(np.float32))
        whole = self._add("Gather", ["words", "input_ids"], "word_levels")
        real = self._add("Cast", [whole], "word_reals", to=onnx.TensorProto.FLOAT)
        rows = self._add("Gather", ["words_scale", "input_ids"], "word_scales")
        word = self._add("Mul", [real, rows], "word_vectors")
        length = self._add("Shape", ["input_ids"], "n_tokens", start=1, end=2)
        place = self._add("Slice", ["positions", "first", length, "first"], "place_vectors")
        total = self._add("Add", [word, place], "embeddings")
        norm = [self._constant(k, self.weights[part + "LayerNorm." + k]) for k in ("weight", "bias")]
        node = next(n for n in self.graph.node if n.op_type == "EmbedLayerNormalization")
        self._add("LayerNormalization", [total, *norm], node.output[0], axis=-1, epsilon=1e-12)
        self._add("Cast", ["attention_mask"], "mask_int", to=onnx.TensorProto.INT32)

    def _query_key_value(self, group: list[onnx.NodeProto]) -> None:
        """One product instead of three: the three share their input."""
        weight = np.concatenate([self.weights[n.input[1]] for n in group], axis=1)
        out = self._linear(group[0].input[0], weight, group[0].output[0] + "_kv")
        self.nodes.append(helper.make_node("Split", [out], [n.output[0] for n in group], name=out + "_split", axis=-1))

    def _linear(self, x: str, weight: NDArray, out: str) -> str:
        step, zero = ("gelu_step", "gelu_zero") if weight.shape[0] > weight.shape[1] else ("step", "zero")
        row = self._row_scale(x, out, gelu=step == "gelu_step")
        unit = self._add("Div", [x, row], out + "_unit")
        levels = self._add("QuantizeLinear", [unit, step, zero], out + "_levels")
        scale = (np.abs(weight).max(axis=0) / 127).astype(np.float32)
        w = self._constant(out + "_w", (np.clip(np.round(weight / scale), -127, 127) + 128).astype(np.uint8))
        s = self._constant(out + "_s", scale)
        z = self._constant(out + "_z", np.full(len(scale), 128, np.uint8))
        product = self._add("MatMulIntegerToFloat", [levels, w, step, s, zero, z], out + "_product", MICROSOFT)
        return self._add("Mul", [product, row], out)

    def _row_scale(self, x: str, out: str, *, gelu: bool) -> str:
        if gelu:
            most = self._add("ReduceMax", [x], out + "_most", axes=[-1], keepdims=1)
            return self._add("Max", [most, "one"], out + "_row")
        size = self._add("Abs", [x], out + "_size")
        return self._add("ReduceMax", [size], out + "_row", axes=[-1], keepdims=1)

    def _copy(self, node: onnx.NodeProto) -> None:
        if node.op_type == "MultiHeadAttention":
            node.input[4] = "mask_int"
        for name in node.input:
            if name in self.weights:
                self._constant(name, self.weights[name])
        self.nodes.append(node)

    def _pool(self, hidden: str) -> None:
        """Mean over real tokens and length 1; the mean's divisor falls out in the normalisation."""
        real = self._add("Cast", ["attention_mask"], "mask_real", to=onnx.TensorProto.FLOAT)
        mask = self._add("Unsqueeze", [real, "last"], "mask_column")
        kept = self._add("Mul", [hidden, mask], "kept")
        total = self._add("ReduceSum", [kept, "second"], "total", keepdims=0)
        self._add("LpNormalization", [total], "vectors", axis=-1, p=2)

    def _model(self) -> onnx.ModelProto:
        whole = onnx.TensorProto.INT64
        inputs = [helper.make_tensor_value_info(n, whole, ["n", "t"]) for n in ("input_ids", "attention_mask")]
        dim = len(self.constants["weight"])
        outputs = [helper.make_tensor_value_info("vectors", onnx.TensorProto.FLOAT, ["n", dim])]
        tensors = [numpy_helper.from_array(np.asarray(v), k) for k, v in self.constants.items()]
        graph = helper.make_graph(self.nodes, "sentence", inputs, outputs, tensors)
        opsets = [helper.make_opsetid("", 17), helper.make_opsetid(MICROSOFT, 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=8, producer_name="inkling")


def quantize_rows(fused: Path, out: Path, *, max_tokens: int) -> None:
    """Read the fused float graph ``fused`` and write the int8 graph ``out``."""
    model = RowQuantizer(onnx.load(str(fused)), max_tokens=max_tokens).build()
    onnx.checker.check_model(model)
    onnx.save(model, str(out))

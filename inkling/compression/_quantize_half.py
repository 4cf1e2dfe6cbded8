"""An ONNX graph whose weights are stored in half precision and computed with in float32."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import helper, numpy_helper

_LEAST = 256  # a constant smaller than this costs more in nodes than it saves


def halved(graph: bytes) -> bytes:
    """Return the graph with its large float32 constants in float16: half the size on disk.

    A table of vectors is looked up in half precision, which halves its memory too; ONNX Runtime widens other weights
    once, when it loads them.
    """
    model = onnx.load_from_string(graph)
    names = {
        tensor.name
        for tensor in model.graph.initializer
        if tensor.data_type == onnx.TensorProto.FLOAT and numpy_helper.to_array(tensor).size >= _LEAST
    }
    nodes = [node for node in model.graph.node if not _looks_up(node, names)]
    looked = [node for node in model.graph.node if _looks_up(node, names)]
    whole = {name for name in names if any(name in node.input for node in nodes)}
    made = [helper.make_node("Cast", [f"{name}.half"], [name], name=name, to=onnx.TensorProto.FLOAT) for name in whole]
    _store_half(model.graph, names)
    del model.graph.node[:]
    model.graph.node.extend([*sorted(made, key=lambda node: node.name), *_widened(looked), *nodes])
    _sort(model.graph)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def _looks_up(node: onnx.NodeProto, names: set[str]) -> bool:
    return node.op_type == "Gather" and node.input[0] in names


def _store_half(graph: onnx.GraphProto, names: set[str]) -> None:
    kept = [tensor for tensor in graph.initializer if tensor.name not in names]
    small = [
        numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float16), f"{tensor.name}.half")
        for tensor in graph.initializer
        if tensor.name in names
    ]
    del graph.initializer[:]
    graph.initializer.extend([*kept, *small])


def _widened(looked: list[onnx.NodeProto]) -> list[onnx.NodeProto]:
    """Return look-ups in the stored tables, each with what makes float32 of its answer."""
    found = []
    for node in looked:
        out = node.output[0]
        inner = helper.make_node(
            "Gather", [f"{node.input[0]}.half", node.input[1]], [f"{out}.half"], name=f"{out}.half"
        )
        inner.attribute.extend(node.attribute)
        found += [inner, helper.make_node("Cast", [f"{out}.half"], [out], name=out, to=onnx.TensorProto.FLOAT)]
    return found


def _sort(graph: onnx.GraphProto) -> None:
    """Put nodes behind those that they read from, as ONNX asks."""
    ready = {tensor.name for tensor in graph.initializer} | {value.name for value in graph.input} | {""}
    waiting, done = list(graph.node), []
    while waiting:
        later = []
        for node in waiting:
            if all(name in ready for name in node.input):
                done.append(node)
                ready.update(node.output)
            else:
                later.append(node)
        waiting = later
    del graph.node[:]
    graph.node.extend(done)

"""Attention, normalisation and activation as one node each, by ONNX Runtime's optimizer: the same answer, sooner."""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import onnx
from onnx import helper, numpy_helper

from inkling.core.arrays import Array

MICROSOFT = "com.microsoft"
_FAMILIES = {"bert": "bert", "roberta": "bert", "ernie": "bert", "xlm-roberta": "bert", "distilbert": "bert"}
_EXACT = ("MatMul", "Attention")


def fused(graph: bytes, *, kind: str, n_heads: int, dim: int, narrowed: Sequence[int] = ()) -> bytes:
    """Return the graph with what belongs together in one node; families that are not known come back as they were.

    Queries, keys and values, which read the same input, become one product. The graph uses operators that only ONNX
    Runtime has.

    Args:
        graph: In float32, with attention written out.
        kind: The architecture, as transformers names it.
        n_heads: Heads of attention.
        dim: Width of the hidden states.
        narrowed: Heads of each block, where some were taken out of a pruned model.
    """
    if kind not in _FAMILIES:
        return graph
    model = _optimized(graph, _FAMILIES[kind], n_heads, dim)
    _count_heads(model.graph, narrowed)
    _merge_products(model.graph)
    _need_domain(model)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def _optimized(graph: bytes, family: str, n_heads: int, dim: int) -> onnx.ModelProto:
    with warnings.catch_warnings(), _silent():
        # The optimizer speaks of libraries that it does not need here.
        warnings.simplefilter("ignore")
        from onnxruntime.transformers import optimizer
        from onnxruntime.transformers.fusion_options import FusionOptions

        options: Any = FusionOptions(family)
        options.use_multi_head_attention = True  # keeps the weights of queries, keys and values out of attention's node
        options.enable_skip_layer_norm = False  # a sum and a normalisation take half the time of the node for both
        options.enable_embed_layer_norm = False  # tables of vectors stay nodes of their own, which can be made small
        with tempfile.TemporaryDirectory() as place:
            path = Path(place) / "graph.onnx"
            path.write_bytes(graph)
            found: Any = optimizer.optimize_model(
                str(path), family, num_heads=n_heads, hidden_size=dim, opt_level=0, optimization_options=options
            )
    made: onnx.ModelProto = found.model
    return made


@contextmanager
def _silent() -> Iterator[None]:
    """Keep the optimizer from telling what it fused."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)


def _count_heads(graph: onnx.GraphProto, narrowed: Sequence[int]) -> None:
    """Write into each attention how many heads it has: the optimizer takes one number for all."""
    nodes = [node for node in graph.node if node.op_type == "MultiHeadAttention"]
    if len(nodes) != len(narrowed):
        return
    for node, n_heads in zip(nodes, narrowed, strict=True):
        next(said for said in node.attribute if said.name == "num_heads").i = n_heads


def _merge_products(graph: onnx.GraphProto) -> None:
    """Make one product of three that read the same input, behind which the columns are parted again."""
    weights = {tensor.name: tensor for tensor in graph.initializer}
    groups: dict[str, list[onnx.NodeProto]] = {}
    for node in graph.node:
        if node.op_type == "MatMul" and node.input[1] in weights:
            groups.setdefault(node.input[0], []).append(node)
    merged = {group[0].output[0]: group for group in groups.values() if _alike(group, weights)}
    gone = {node.output[0] for group in merged.values() for node in group[1:]}
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        if node.output and node.output[0] in merged:
            nodes += _merged(merged[node.output[0]], weights, graph)
        elif not node.output or node.output[0] not in gone:
            nodes.append(node)
    used = {name for node in nodes for name in node.input}
    kept = [tensor for tensor in graph.initializer if tensor.name in used]
    del graph.node[:], graph.initializer[:]
    graph.node.extend(nodes)
    graph.initializer.extend(kept)


def _alike(group: list[onnx.NodeProto], weights: dict[str, onnx.TensorProto]) -> bool:
    shapes = {tuple(weights[node.input[1]].dims) for node in group}
    return len(group) == 3 and len(shapes) == 1 and len(next(iter(shapes))) == 2


def _merged(
    group: list[onnx.NodeProto], weights: dict[str, onnx.TensorProto], graph: onnx.GraphProto
) -> list[onnx.NodeProto]:
    import numpy as np

    first = group[0]
    parts: list[Array] = [numpy_helper.to_array(weights[node.input[1]]) for node in group]
    name, out = f"{first.input[1]}.three", f"{first.output[0]}.three"
    graph.initializer.append(numpy_helper.from_array(np.concatenate(parts, axis=1), name))
    product = helper.make_node("MatMul", [first.input[0], name], [out], name=out)
    parted = helper.make_node("Split", [out], [node.output[0] for node in group], name=f"{out}.parted", axis=-1)
    return [product, parted]


def _need_domain(model: onnx.ModelProto) -> None:
    if all(opset.domain != MICROSOFT for opset in model.opset_import):
        model.opset_import.append(helper.make_opsetid(MICROSOFT, 1))

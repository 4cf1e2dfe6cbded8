"""Recommenders written out as ONNX by hand: a sequence model with its items, two towers, trees."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from inkling.core.arrays import Array
from inkling.core.errors import ConfigError
from inkling.kernels.trees import TreeEnsemble
from inkling.ranking.gbdt import Gbdt
from inkling.retrieval._sequence import SequenceModel
from inkling.retrieval.two_tower import TwoTower

_OPSET, _IR, _TREES = 17, 8, "ai.onnx.ml"
_FLOAT, _WHOLE = onnx.TensorProto.FLOAT, onnx.TensorProto.INT64
_FLOOR = -80.0  # as in retrieval/_sequence.py: the least an item scores that the model knows
_LEAST = 1e-12


class Draft:
    """A graph while it is written: nodes and constants get names of their own."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def add(self, op: str, *inputs: str, out: str = "", domain: str = "", **attributes: Any) -> str:
        """Write a node and return the name of what it makes."""
        name = out or f"{op.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, list(inputs), [name], name=name, domain=domain, **attributes))
        return name

    def constant(self, value: Array) -> str:
        """Keep an array and return its name."""
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def number(self, value: float) -> str:
        """Keep one float."""
        return self.constant(np.array(value, dtype=np.float32))

    def axes(self, *values: int) -> str:
        """Keep axes."""
        return self.constant(np.array(values, dtype=np.int64))

    def unit(self, x: str) -> str:
        """Return rows (..., D) of length one; zeros stay zeros."""
        squares = self.add("ReduceSum", self.add("Mul", x, x), self.axes(-1), keepdims=1)
        length = self.add("Sqrt", squares)
        return self.add("Div", x, self.add("Max", length, self.number(_LEAST)))

    def bytes(self, inputs: dict[str, tuple[int, list[Any]]], outputs: dict[str, tuple[int, list[Any]]]) -> bytes:
        """Return the network. Inputs and outputs: name -> (type, sizes, free ones by name)."""
        given = [helper.make_tensor_value_info(name, kind, sizes) for name, (kind, sizes) in inputs.items()]
        made = [helper.make_tensor_value_info(name, kind, sizes) for name, (kind, sizes) in outputs.items()]
        graph = helper.make_graph(self.nodes, "inkling", given, made, self.constants)
        opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid(_TREES, 3)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=_IR, producer_name="inkling")
        onnx.checker.check_model(model)
        return bytes(model.SerializeToString())


def sequence_graph(model: SequenceModel) -> bytes:
    """Return ``items, times, lengths`` -> ``people`` (B, d), ``scores`` (B, n): look-up, network and all products.

    Raises:
        ConfigError: The model was not fitted.
    """
    if not model._graph or not model._known.any():
        raise _unfitted(model.name)
    draft = Draft()
    vectors = draft.add("Gather", draft.constant(model._items), "items", axis=0)
    some = draft.add("Max", "lengths", draft.axes(1))  # somebody of whom nothing is known is asked as if, then set to 0
    people = _append(draft, model._graph, {"vectors": vectors, "times": "times", "lengths": some})
    says = draft.add("Greater", "lengths", draft.constant(np.array(0, np.int64)))
    says = draft.add("Unsqueeze", draft.add("Cast", says, to=_FLOAT), draft.axes(1))
    draft.add("Mul", people, says, out="people")
    _shares(draft, "people", model, says)
    row, scores = ["b", model.config.dim], ["b", len(model._known)]
    events: tuple[int, list[Any]] = (_WHOLE, ["b", "l"])
    return draft.bytes(
        {"items": events, "times": events, "lengths": (_WHOLE, ["b"])},
        {"people": (_FLOAT, row), "scores": (_FLOAT, scores)},
    )


def _shares(draft: Draft, people: str, model: SequenceModel, says: str) -> None:
    """Write scores: the exponential of each logit less the person's largest."""
    known = model._known.astype(np.float32)
    logits = draft.add("MatMul", people, draft.constant(model._items.T))
    barred = draft.add("Add", logits, draft.constant(np.where(model._known, 0, -1e30).astype(np.float32)))
    below = draft.add("Sub", barred, draft.add("ReduceMax", barred, axes=[1], keepdims=1))
    shares = draft.add("Exp", draft.add("Max", below, draft.number(_FLOOR)))
    draft.add("Mul", draft.add("Mul", shares, draft.constant(known)), says, out="scores")


def _append(draft: Draft, graph: bytes, given: dict[str, str]) -> str:
    """Write a whole network behind what is there; return the name of its first output."""
    inner = onnx.load_from_string(graph).graph
    names = {name: given[name] for name in (value.name for value in inner.input)}

    def renamed(name: str) -> str:
        return names.get(name, f"network/{name}") if name else ""

    for tensor in inner.initializer:
        tensor.name = renamed(tensor.name)
        draft.constants.append(tensor)
    for node in inner.node:
        inputs, outputs = [renamed(name) for name in node.input], [renamed(name) for name in node.output]
        del node.input[:], node.output[:]
        node.input.extend(inputs)
        node.output.extend(outputs)
        node.name = f"network/{node.name}"
        draft.nodes.append(node)
    return renamed(inner.output[0].name)


def towers_graph(model: TwoTower) -> bytes:
    """Return ``history, words`` -> ``people`` (B, d), ``scores`` (B, n).

    Raises:
        ConfigError: The model was not fitted.
    """
    if not len(model._vectors):
        raise _unfitted(model.name)
    draft, weights = Draft(), model._weights
    zero = draft.constant(np.array(0, np.int64))
    there = draft.add("Cast", draft.add("GreaterOrEqual", "history", zero), to=_FLOAT)  # (B, L)
    worth = draft.add("Mul", there, draft.constant(np.exp(weights["recency"]).astype(np.float32)))
    total = draft.add("ReduceSum", worth, draft.axes(1), keepdims=1)
    worth = draft.add("Div", worth, draft.add("Max", total, draft.number(_LEAST)))
    rows = draft.add("Max", "history", zero)
    had = draft.add("Gather", draft.constant(model._vectors), rows, axis=0)  # (B, L, d)
    pooled = draft.add("MatMul", draft.add("Unsqueeze", worth, draft.axes(1)), had)
    whole = draft.add("Add", draft.add("Squeeze", pooled, draft.axes(1)), draft.constant(weights["start"]))
    whole = draft.add("Add", whole, _bag(draft, weights["words"]))
    inner = draft.add("MatMul", whole, draft.constant(weights["person.inner.weight"].T))
    inner = draft.add("Relu", draft.add("Add", inner, draft.constant(weights["person.inner.bias"])))
    outer = draft.add("MatMul", inner, draft.constant(weights["person.outer.weight"].T))
    outer = draft.add("Add", draft.add("Add", whole, outer), draft.constant(weights["person.outer.bias"]))
    people = draft.add("Identity", draft.unit(outer), out="people")
    draft.add("MatMul", people, draft.constant(model._vectors.T), out="scores")
    dim, n_items = model._vectors.shape[1], len(model._vectors)
    return draft.bytes(
        {"history": (_WHOLE, ["b", model.config.length]), "words": (_WHOLE, ["b", "v"])},
        {"people": (_FLOAT, ["b", dim]), "scores": (_FLOAT, ["b", n_items])},
    )


def _bag(draft: Draft, table: Array) -> str:
    """Write the mean (B, d) of each row's words; word 0 is none."""
    there = draft.add("Cast", draft.add("Greater", "words", draft.constant(np.array(0, np.int64))), to=_FLOAT)
    total = draft.add("Max", draft.add("ReduceSum", there, draft.axes(1), keepdims=1), draft.number(1.0))
    shares = draft.add("Unsqueeze", draft.add("Div", there, total), draft.axes(1))
    vectors = draft.add("Gather", draft.constant(table), "words", axis=0)
    return draft.add("Squeeze", draft.add("MatMul", shares, vectors), draft.axes(1))


def trees_graph(model: Gbdt) -> bytes:
    """Return ``x`` (N, F) -> ``scores`` (N,): one node that holds all trees.

    Raises:
        ConfigError: The model was not fitted.
    """
    if model._trees is None:
        raise _unfitted(model.name)
    draft, trees = Draft(), model._trees
    attributes: dict[str, Any] = tree_attributes(trees)
    raw = draft.add("TreeEnsembleRegressor", "x", domain=_TREES, n_targets=1, **attributes)
    draft.add("Squeeze", raw, draft.axes(1), out="scores")
    return draft.bytes({"x": (_FLOAT, ["n", trees.n_features])}, {"scores": (_FLOAT, ["n"])})


def tree_attributes(trees: TreeEnsemble) -> dict[str, list[Any]]:
    """Return the columns of ONNX's TreeEnsembleRegressor: inner nodes of a tree first, its leaves behind them."""
    nodes: dict[str, list[Any]] = {
        f"nodes_{name}": []
        for name in ("treeids", "nodeids", "featureids", "values", "modes", "truenodeids", "falsenodeids",
                     "missing_value_tracks_true")
    }  # fmt: skip
    leaves: dict[str, list[Any]] = {f"target_{name}": [] for name in ("treeids", "nodeids", "ids", "weights")}
    for tree in range(trees.n_trees):
        inner = np.flatnonzero(trees.feature[tree] >= 0)
        n_inner = int(inner.max()) + 1 if len(inner) else 0
        for node in range(n_inner):
            left, right = (_at(int(side[tree, node]), n_inner) for side in (trees.left, trees.right))
            _append_node(
                nodes, (tree, node, int(trees.feature[tree, node]), float(trees.threshold[tree, node]), "BRANCH_LEQ",
                        left, right, int(trees.nan_left[tree, node])),
            )  # fmt: skip
        for leaf in range(n_inner + 1):
            _append_node(nodes, (tree, n_inner + leaf, 0, 0.0, "LEAF", 0, 0, 0))
            for column, value in zip(
                leaves.values(), (tree, n_inner + leaf, 0, float(trees.leaf_value[tree, leaf])), strict=True
            ):
                column.append(value)
    return {**nodes, **leaves}


def _append_node(nodes: dict[str, list[Any]], values: tuple[Any, ...]) -> None:
    for column, value in zip(nodes.values(), values, strict=True):
        column.append(value)


def _at(child: int, n_inner: int) -> int:
    """Return a child's place: a leaf is written below 0 in the house, and behind the inner nodes here."""
    return child if child >= 0 else n_inner - child - 1


def _unfitted(name: str) -> ConfigError:
    return ConfigError(f"'{name}' cannot be exported: it was not fitted.", hint="Fit it first.")

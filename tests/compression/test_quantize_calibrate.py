from __future__ import annotations

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="quantising needs onnx")

from onnx import helper, numpy_helper  # noqa: E402

from inkling.compression._quantize_calibrate import calibrate, chosen  # noqa: E402
from inkling.compression._quantize_half import halved  # noqa: E402
from inkling.core.errors import ConfigError  # noqa: E402
from inkling.encoders._backbone_int8 import quantized  # noqa: E402


def graph(table, weight):
    """Return the look-up of tokens in a table and one product with a bias."""
    whole = onnx.TensorProto.INT64
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["x"]),
        helper.make_node("MatMul", ["x", "weight"], ["y"]),
        helper.make_node("Add", ["y", "bias"], ["z"]),
    ]
    inputs = [helper.make_tensor_value_info(name, whole, ["n", "t"]) for name in ("input_ids", "attention_mask")]
    output = helper.make_tensor_value_info("z", onnx.TensorProto.FLOAT, ["n", "t", weight.shape[1]])
    bias = np.linspace(-1, 1, weight.shape[1], dtype=np.float32)
    tensors = [numpy_helper.from_array(v, k) for k, v in {"table": table, "weight": weight, "bias": bias}.items()]
    made = helper.make_graph(nodes, "small", inputs, [output], tensors)
    opsets = [helper.make_opsetid("", 17)]
    return helper.make_model(made, opset_imports=opsets, ir_version=8).SerializeToString()


def answer(data, ids):
    import onnxruntime

    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    return session.run(None, {"input_ids": ids, "attention_mask": np.ones_like(ids)})[0]


@pytest.fixture
def world():
    rng = np.random.default_rng(0)
    table = rng.normal(size=(200, 32)).astype(np.float32)
    table[:, 3] *= 50  # an outlying channel: what a plain range would be spent on
    weight = rng.normal(size=(32, 24)).astype(np.float32)
    weight[3] /= 50
    ids = rng.integers(0, 200, (40, 6))
    return graph(table, weight), ids


def test_an_outlying_channel_moves_into_the_weights_and_the_answer_is_nearer(world):
    data, ids = world
    judged = calibrate(data, [{"input_ids": ids, "attention_mask": np.ones_like(ids)}])
    assert [one.out for one in judged] == ["y"]
    assert judged[0].fixed.smooth is not None
    assert judged[0].error < 0.5 * judged[0].by_row
    expected = answer(data, ids)
    errors = [
        float(((answer(quantized(data, fixed=fixed), ids) - expected) ** 2).mean())
        for fixed in ({}, chosen(judged, tolerance=1))
    ]
    assert errors[1] < 0.9 * errors[0]  # what is left is the table, whose rows are rounded in both


def test_the_error_told_is_the_error_of_the_graph(world):
    data, ids = world
    (judged,) = calibrate(data, [{"input_ids": ids, "attention_mask": np.ones_like(ids)}])
    expected = answer(data, ids) - np.linspace(-1, 1, 24, dtype=np.float32)
    found = answer(quantized(data, fixed={"y": judged.fixed}), ids) - np.linspace(-1, 1, 24, dtype=np.float32)
    error = float(((found - expected) ** 2).mean() / (expected**2).mean())
    assert judged.error == pytest.approx(error, rel=1.0)  # the table of vectors is rounded too


def test_a_bias_behind_a_calibrated_product_goes_into_it(world):
    data, ids = world
    judged = calibrate(data, [{"input_ids": ids, "attention_mask": np.ones_like(ids)}])
    operators = [
        node.op_type for node in onnx.load_from_string(quantized(data, fixed=chosen(judged, tolerance=9))).graph.node
    ]
    assert "Add" not in operators
    assert operators.count("QuantizeLinear") == 1


def test_padding_is_not_looked_at(world):
    data, ids = world
    mask = np.ones_like(ids)
    mask[:, 3:] = 0
    wild = ids.copy()
    wild[:, 3:] = 0
    one = calibrate(data, [{"input_ids": ids, "attention_mask": mask}])
    other = calibrate(data, [{"input_ids": wild, "attention_mask": mask}])
    assert one[0].fixed.step == other[0].fixed.step


def test_what_hurts_is_left_out(world):
    data, ids = world
    judged = calibrate(data, [{"input_ids": ids, "attention_mask": np.ones_like(ids)}])
    assert chosen(judged, tolerance=0) == {}
    assert set(chosen(judged, tolerance=1e9)) == {"y"}


def test_nothing_to_calibrate_on_is_said(world):
    with pytest.raises(ConfigError, match="There is nothing to calibrate on"):
        calibrate(world[0], [])


def test_half_precision_keeps_the_answer(world):
    data, ids = world
    small = halved(data)
    assert len(small) < 0.6 * len(data)
    np.testing.assert_allclose(answer(small, ids), answer(data, ids), rtol=2e-2, atol=2e-2)

"""The sequence model of the worlds: weights for torch, the graph, and the graph with int8 weights and activations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

HEADS, SCALE = 2, 12.0
_SEED = 11


def write_models(folder: Path, dim: int, blocks: int) -> dict[str, Any]:
    """Write ``sequence.npz``, ``sequence.onnx`` and ``sequence.int8.onnx``; return what is worth telling.

    Needs torch and onnx, as the environment of ``make test`` has them; whoever answers needs neither.
    """
    import logging

    import torch
    from onnxruntime.quantization import QuantType, quantize_dynamic

    from inkling.training.export import run_onnx, to_onnx
    from inkling.training.nets.ligr import Ligr
    from inkling.training.nets.sequence import SequenceNet, Served
    from inkling.training.nets.table import ItemTable

    torch.manual_seed(_SEED)
    body = Ligr(dim, blocks=blocks, heads=HEADS).eval()
    net = SequenceNet(ItemTable(torch.zeros(1, dim)), body, cosine=True, scale=SCALE).eval()
    example = {
        "vectors": torch.randn(2, 3, dim),
        "times": torch.zeros(2, 3, dtype=torch.int64),
        "lengths": torch.tensor([3, 2]),
    }
    free = {"vectors": {0: "b", 1: "l"}, "times": {0: "b", 1: "l"}, "lengths": {0: "b"}, "people": {0: "b"}}
    graph = to_onnx(Served(net), example, ["people"], free=free, atol=1e-3)
    np.savez(folder / "sequence.npz", **{name: value.numpy() for name, value in net.state_dict().items()})
    whole, small = folder / "sequence.onnx", folder / "sequence.int8.onnx"
    whole.write_bytes(graph)
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)  # the quantiser recommends a step that the exporter's graph needs not
    try:
        quantize_dynamic(whole, small, weight_type=QuantType.QInt8)
    finally:
        root.setLevel(level)
    given = {name: value.numpy() for name, value in example.items()}
    a, b = run_onnx(graph, given)[0], run_onnx(small.read_bytes(), given)[0]
    agreement = float((a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum()))
    return {"blocks": blocks, "heads": HEADS, "scale": SCALE, "dim": dim, "int8_agreement": agreement}

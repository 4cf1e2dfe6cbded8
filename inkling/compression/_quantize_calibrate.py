"""Which step suits the inputs of each product, found on the user's own texts.

The largest value seen is a poor guide: one outlier costs all others their levels. Here several ranges are tried for
each product, with and without moving outliers into the weights (SmoothQuant, Xiao et al. 2023), and the one counts
whose whole numbers give the product nearest to the float one. A product that all of them hurt stays quantised by row.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import helper

from inkling.core.arrays import F32, I64
from inkling.core.errors import ConfigError
from inkling.encoders._backbone_int8 import Fixed, Product, columns_int8, products

SHARES = (1.0, 0.9999, 0.999)
"""Ranges that are tried: so much of what was seen lies inside."""
_SMOOTH = 0.5
_ROWS, _TRIED = 2048, 256  # rows of inputs that are kept of each product, and those that ranges are tried on
_LEVELS = 255
_TINY = 1e-6


@dataclass(frozen=True)
class Judged:
    """What was found for one product.

    Attributes:
        out: The product's output.
        fixed: The best known-beforehand step.
        error: Its error: the mean squared difference over the mean square of the product.
        by_row: The error where each row has its own step.
    """

    out: str
    fixed: Fixed
    error: float
    by_row: float


def calibrate(graph: bytes, batches: Sequence[dict[str, I64]], *, seed: int = 0) -> list[Judged]:
    """Return what each product's inputs are best quantised by.

    Args:
        graph: In float32.
        batches: ``input_ids`` and ``attention_mask``, both (N, T), of the texts that calibrate.
        seed: Of the rows that are kept.

    Raises:
        ConfigError: There is no text, or the graph has no product by a constant matrix.
    """
    model = onnx.load_from_string(graph)
    found = products(model)
    if not batches or not found:
        raise ConfigError(
            "There is nothing to calibrate on: no text with a token was given, or the graph has no product.",
            hint="Give some hundred texts of the catalogue.",
        )
    seen = _inputs(model, sorted({product.x for product in found}), batches, np.random.default_rng(seed))
    return [_judge(product, seen[product.x]) for product in found]


def chosen(judged: Sequence[Judged], *, tolerance: float) -> dict[str, Fixed]:
    """Return the products that take a step known beforehand: its error is at most ``tolerance`` times that by row."""
    return {one.out: one.fixed for one in judged if one.error <= tolerance * one.by_row}


def _inputs(
    model: onnx.ModelProto, names: Sequence[str], batches: Sequence[dict[str, I64]], rng: np.random.Generator
) -> dict[str, F32]:
    """Return rows (R, K) of the named values, of real tokens alone."""
    import onnxruntime

    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    watched.graph.output.extend(helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in names)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(watched.SerializeToString(), options, providers=["CPUExecutionProvider"])
    kept: dict[str, list[F32]] = {name: [] for name in names}
    each = max(_ROWS // len(batches), 1)
    for batch in batches:
        real = batch["attention_mask"].reshape(-1) > 0
        rows = np.flatnonzero(real)
        rows = rows[rng.permutation(len(rows))[:each]]
        for name, value in zip(names, session.run(list(names), batch), strict=True):
            flat = value.reshape(-1, value.shape[-1])
            kept[name].append(flat[rows] if len(flat) == len(real) else flat)
    return {name: np.concatenate(parts).astype(np.float32) for name, parts in kept.items()}


def _judge(product: Product, x: F32) -> Judged:
    tried = x[:: max(len(x) // _TRIED, 1)]
    expected = tried @ product.weight
    whole = max(float((expected**2).mean()), _TINY)

    def error(how: Fixed | None) -> float:
        return float(((_product(tried, product.weight, how) - expected) ** 2).mean()) / whole

    errors = [(error(how), how) for how in _candidates(x, product.weight)]
    best, fixed = min(errors, key=lambda pair: pair[0])
    return Judged(product.out, fixed, best, error(None))


def _candidates(x: F32, weight: F32) -> Iterator[Fixed]:
    """Yield steps: each share of the inputs, plain and with outliers moved into the weights."""
    most = np.maximum(np.abs(x).max(axis=0), _TINY)
    largest = np.maximum(np.abs(weight).max(axis=1), _TINY)
    smooth = (largest**_SMOOTH / most**_SMOOTH).astype(np.float32)
    smooth /= np.exp(np.log(smooth).mean())
    for by in (None, smooth.astype(np.float32)):
        values = x if by is None else x * by
        for share in SHARES:
            low, high = _range(values, share)
            step = max((high - low) / _LEVELS, _TINY)
            yield Fixed(step, int(np.clip(round(-low / step), 0, _LEVELS)), by)


def _range(x: F32, share: float) -> tuple[float, float]:
    """Return the least and the largest value of so much of the inputs; zero is always inside."""
    if share >= 1:
        low, high = float(x.min()), float(x.max())
    else:
        low, high = np.quantile(x, [(1 - share) / 2, (1 + share) / 2]).tolist()
    return min(low, 0.0), max(high, 0.0)


def _product(x: F32, weight: F32, how: Fixed | None) -> F32:
    """Return what the int8 graph makes of (R, K) rows; by row where ``how`` is None."""
    if how is not None and how.smooth is not None:
        x, weight = x * how.smooth, weight / how.smooth[:, None]
    whole, scale = columns_int8(weight)
    if how is None:
        row = np.maximum(np.abs(x).max(axis=1, keepdims=True), _TINY) / 127
        read = np.clip(np.rint(x / row), -128, 127) * row
    else:
        read = (np.clip(np.rint(x / how.step) + how.zero, 0, _LEVELS) - how.zero) * how.step
    product: F32 = (read.astype(np.float32) @ whole.astype(np.float32)) * scale
    return product

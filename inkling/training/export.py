"""From a torch module to ONNX bytes that answer without torch, checked against it."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from inkling.core.arrays import Array
from inkling.core.errors import InklingError

_OPSET = 17


def to_onnx(
    module: nn.Module,
    inputs: Mapping[str, Tensor],
    outputs: Sequence[str],
    *,
    free: Mapping[str, Mapping[int, str]],
    atol: float = 1e-4,
) -> bytes:
    """Return the module as ONNX, in evaluation mode.

    Args:
        module: Takes ``inputs`` in their order.
        inputs: Name -> an example; the numbers of both runtimes are compared on it.
        outputs: Names of what comes out.
        free: Input or output -> axis -> name of a size that may differ from the example's.
        atol: Largest difference that may remain.

    Raises:
        InklingError: The two runtimes disagree.
    """
    module = module.eval()
    buffer = io.BytesIO()
    with warnings.catch_warnings(), torch.no_grad():
        # The exporter speaks of its successor and of constants of the example; what counts is compared below.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module,
            tuple(inputs.values()),
            buffer,  # type: ignore[arg-type]  # a file-like object is taken too, the stub knows paths only
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_axes={name: dict(axes) for name, axes in free.items()},
            opset_version=_OPSET,
            dynamo=False,
        )
    data = buffer.getvalue()
    _compare(data, module, inputs, atol)
    return data


def _compare(data: bytes, module: nn.Module, inputs: Mapping[str, Tensor], atol: float) -> None:
    with torch.no_grad():
        expected = module(*inputs.values())
    expected = [expected] if isinstance(expected, Tensor) else list(expected)
    found = run_onnx(data, {name: value.numpy() for name, value in inputs.items()})
    apart = max(float(np.abs(a - b.numpy()).max(initial=0.0)) for a, b in zip(found, expected, strict=True))
    if not apart <= atol:
        raise InklingError(
            f"The exported network is {apart:.2g} off torch's answer, at most {atol:.2g} is allowed.",
            hint="Raise atol, or train with less extreme numbers (weight decay, clip).",
        )


def run_onnx(data: bytes, inputs: Mapping[str, Array]) -> list[Any]:
    """Return what an ONNX network answers, on one thread."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    answers: list[Any] = session.run(None, dict(inputs))
    return answers

"""Smaller vectors: eight bits a number with one scale a row, or one bit a number."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from inkling.core.arrays import F32, I8, I32

U8: TypeAlias = NDArray[np.uint8]


def quantize_int8(x: F32) -> tuple[I8, F32]:
    """Return codes (N, D) and scales (N,) with ``x ~ codes * scales[:, None]``, symmetric, one scale a row.

    The error of an element is at most half its row's scale (the row's largest magnitude / 127). A zero row has scale 0.
    """
    if x.shape[1] == 0:
        return np.zeros(x.shape, dtype=np.int8), np.zeros(len(x), dtype=np.float32)
    scales = (np.abs(x).max(axis=1) / np.float32(127.0)).astype(np.float32)
    steps = np.divide(x, scales[:, None], out=np.zeros(x.shape, dtype=np.float32), where=scales[:, None] > 0)
    return np.clip(np.rint(steps), -127, 127).astype(np.int8), scales


def dequantize_int8(codes: I8, scales: F32) -> F32:
    """Return the approximate vectors (N, D) of codes (N, D) and scales (N,)."""
    return codes.astype(np.float32) * scales[:, None]


def binarize(x: F32) -> U8:
    """Return the signs of ``x`` (N, D), one bit each (1 where above zero), packed into (N, ceil(D / 8)) bytes."""
    return np.packbits(x > 0, axis=1)


def hamming(a: U8, b: U8) -> I32:
    """Return the number of differing bits (A, B) between packed rows (A, P) and (B, P)."""
    counts = np.zeros((len(a), len(b)), dtype=np.int32)
    for byte in range(a.shape[1]):
        counts += np.bitwise_count(a[:, byte, None] ^ b[None, :, byte])
    return counts

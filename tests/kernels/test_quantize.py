from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from inkling.kernels import reference
from inkling.kernels.quantize import binarize, dequantize_int8, hamming, quantize_int8

MATRIX = hnp.arrays(
    np.float32,
    st.tuples(st.integers(1, 5), st.integers(1, 20)),
    elements=st.floats(-1e6, 1e6, width=32, allow_subnormal=False),
)


@given(MATRIX)
def test_the_error_is_at_most_half_a_step(x: np.ndarray) -> None:
    codes, scales = quantize_int8(x)
    assert codes.dtype == np.int8
    assert (np.abs(dequantize_int8(codes, scales) - x) <= scales[:, None] * 0.501).all()


def test_codes_equal_the_slow_twin() -> None:
    x = np.array([[1.27, -0.5, 0.031], [0, 0, 0], [-254, 100, 3]], dtype=np.float32)
    codes, scales = quantize_int8(x)
    for row, code, scale in zip(x.tolist(), codes.tolist(), scales.tolist(), strict=True):
        expected, step = reference.quantize_int8(row)
        assert code == expected
        assert np.isclose(scale, step)
    assert codes[2].tolist() == [-127, 50, 2]


def test_rows_without_columns_have_scale_zero() -> None:
    codes, scales = quantize_int8(np.empty((2, 0), dtype=np.float32))
    assert codes.shape == (2, 0)
    assert scales.tolist() == [0, 0]


@given(MATRIX)
def test_hamming_counts_differing_signs(x: np.ndarray) -> None:
    distances = hamming(binarize(x), binarize(x))
    assert distances.tolist() == [[reference.hamming(a, b) for b in x.tolist()] for a in x.tolist()]
    assert binarize(x).shape == (len(x), -(-x.shape[1] // 8))

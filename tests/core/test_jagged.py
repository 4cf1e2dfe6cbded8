"""Lists of different lengths in two flat arrays."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from inkling.core.jagged import Jagged


@given(st.lists(st.lists(st.integers(0, 99), max_size=4), max_size=6))
def test_lists_come_back_as_they_went_in(lists):
    jagged = Jagged.from_lists(lists)
    assert [part.tolist() for part in (jagged[i] for i in range(len(jagged)))] == lists
    assert jagged.offsets.dtype == np.int64
    assert jagged.values.dtype == np.int32
    assert jagged.offsets[-1] == len(jagged.values)

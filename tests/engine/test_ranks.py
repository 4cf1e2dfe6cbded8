"""The quick ranks of one person are those of the kernel, ties and signs of zero included."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from inkling.engine.ranks import reciprocal_ranks_of
from inkling.kernels.jagged import reciprocal_ranks

SAYS = st.sampled_from([0.0, -0.0, 1.0, -1.0, 0.5, -0.25, 1e-30, -1e-30, 3.0])


@given(says=st.lists(st.tuples(SAYS, SAYS), min_size=1, max_size=40))
def test_ranks_are_those_of_the_kernel(says):
    columns = np.array(says, dtype=np.float32).T.copy()
    ends = np.array([0, len(says)], dtype=np.int64)
    np.testing.assert_array_equal(
        reciprocal_ranks_of(columns), np.stack([reciprocal_ranks(ends, column) for column in columns])
    )

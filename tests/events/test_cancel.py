"""Taking back, against a slow twin that looks at everything each time."""

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from inkling.events.cancel import take_back

ROW = st.tuples(
    st.sampled_from("uv"),
    st.sampled_from("ij"),
    st.integers(0, 6),
    st.sampled_from(["buy", "buy", "cancel", "view"]),
    st.sampled_from([None, 1.0, 2.0, 3.0]),
)


def slowly(rows):
    order = sorted(range(len(rows)), key=lambda row: (rows[row][2], row))
    alive, left = [], {}
    removed = set()
    for row in order:
        user, item, _, event, value = rows[row]
        if event == "buy":
            alive.append(row)
            left[row] = value
        if event != "cancel":
            continue
        mine = [other for other in alive if rows[other][:2] == (user, item)]
        if mine:
            last = mine[-1]
            if value is None or left[last] is None or value >= left[last]:
                alive.remove(last)
                removed.add(last)
            else:
                left[last] -= value
    return removed, {row: left[row] for row in alive if left[row] != rows[row][4]}


@given(st.lists(ROW, max_size=25))
def test_agrees_with_the_slow_twin(rows):
    schema = {
        "user_id": pl.String, "item_id": pl.String, "timestamp": pl.Int64, "event": pl.String, "value": pl.Float32
    }  # fmt: skip
    signed = [(*row[:4], -row[4] if row[3] == "cancel" and row[4] else row[4]) for row in rows]
    back = take_back(pl.DataFrame(signed, schema=schema, orient="row"), {"cancel": "buy"})
    removed, reduced = slowly(rows)
    assert set(back.removed.tolist()) == removed
    assert dict(zip(back.reduced.tolist(), back.left.tolist(), strict=True)) == reduced
    assert back.left.dtype == np.float32

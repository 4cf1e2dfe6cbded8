import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from inkling.core.scenario import Cleaning, Scenario
from inkling.events.codes import codes, named_codes
from inkling.events.parts import drop_duplicates, drop_rare

PAIRS = st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("wxyz")), max_size=30)


def frame_of(pairs):
    schema = {"user_id": pl.String, "item_id": pl.String}
    frame = pl.DataFrame(pairs, schema=schema, orient="row").with_row_index("timestamp")
    return frame.with_columns(pl.lit("buy").alias("event"), pl.lit(None, dtype=pl.Float32).alias("value"))


def core_slowly(pairs, least):
    while True:
        users = [user for user, _ in pairs]
        items = [item for _, item in pairs]
        fewer = [(u, i) for u, i in pairs if users.count(u) >= least and items.count(i) >= least]
        if fewer == pairs:
            return pairs
        pairs = fewer


@given(PAIRS, st.integers(2, 4))
def test_the_core_is_that_of_the_slow_twin(pairs, least):
    scenario = Scenario(positive={"buy": 1.0}, cleaning=Cleaning(min_user_events=least, min_item_events=least))
    kept, _ = drop_rare(frame_of(pairs), scenario)
    assert kept.select("user_id", "item_id").rows() == core_slowly(pairs, least)


@given(
    st.lists(
        st.tuples(st.sampled_from(["a", None]), st.sampled_from("xy"), st.sampled_from([None, "1", "2"])), max_size=20
    )
)
def test_duplicates_are_those_of_the_slow_twin(rows):
    schema = {"user_id": pl.String, "item_id": pl.String, "event_id": pl.String}
    kept, _ = drop_duplicates(pl.DataFrame(rows, schema=schema, orient="row"))
    ids, equal, expected = set(), set(), []
    for row in rows:
        if row in equal or (row[2] is not None and row[2] in ids):
            continue
        ids.add(row[2])
        equal.add(row)
        expected.append(row)
    assert kept.rows() == expected


@given(st.lists(st.sampled_from(["a", "b", "é", None, ""])))
def test_codes_are_dense_in_the_order_of_first_sight(texts):
    rows, n = codes(pl.Series(texts, dtype=pl.String))
    seen = list(dict.fromkeys(text for text in texts if text is not None))
    assert n == len(seen)
    assert [seen[row] if row >= 0 else None for row in rows.tolist()] == texts


def test_named_codes_are_positions():
    assert named_codes(pl.Series(["b", None, "c", "a"]), ["a", "b"]).tolist() == [1, -1, -1, 0]
    assert named_codes(pl.Series(["b"]), []).tolist() == [-1]

from datetime import UTC, datetime

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inkling.core.errors import DataError
from inkling.events.timestamps import MISSING, MIXED, OUT_OF_RANGE, UNREADABLE, TimeReader, parse_iso, split_times

NOON_MS = 1_291_200_000_000  # 2010-12-01T10:40:00Z


def read(values, time=None, dtype=None):
    reader = TimeReader(time)
    out, bad = reader.parse(pl.Series(values, dtype=dtype))
    return out.to_list(), {why: mask.arg_true().to_list() for why, mask in bad.items() if mask.any()}, reader


@pytest.mark.parametrize(
    "text",
    [
        "2010-12-01T10:40:00Z",
        "2010-12-01T10:40:00z",
        "2010-12-01 10:40:00",
        "2010-12-01T10:40:00",
        "2010-12-01T10:40",
        "2010-12-01T10:40:00.000",
        "2010-12-01T10:40:00,000",
        "2010-12-01T11:40:00+01:00",
        "2010-12-01T11:40:00+0100",
        "2010-12-01 11:40:00 +01:00",
        "2010-12-01T11:40:00+01",
        "2010-12-01T03:40:00.000-07:00",
        "2010-12-01T10:40Z",
        " 2010-12-01T10:40:00Z ",
    ],
)
def test_iso_forms_of_one_moment_agree(text):
    assert parse_iso(pl.Series([text])).to_list() == [NOON_MS]


def test_a_date_is_its_midnight_in_utc():
    assert parse_iso(pl.Series(["2010-12-01"])).to_list() == [1_291_161_600_000]


@pytest.mark.parametrize(
    "text", ["2010-13-01", "2010-12-32T00:00:00", "yesterday", "01/12/2010", "2010-12-01T25:00:00"]
)
def test_what_is_no_iso_time_is_null(text):
    assert parse_iso(pl.Series([text])).to_list() == [None]


@pytest.mark.parametrize("values", [[1291200000], ["1291200000"], [1291200000000], ["1291200000000"], ["1291200000.0"]])
def test_seconds_and_milliseconds_are_told_by_size(values):
    assert read(values, "real")[0] == [NOON_MS]


def test_fractions_of_seconds_are_kept():
    assert read(["1291200000.25"], "real")[0] == [NOON_MS + 250]


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_native_times_of_any_unit(unit):
    moment = datetime(2010, 12, 1, 10, 40, tzinfo=UTC)
    assert read([moment], dtype=pl.Datetime(unit, "UTC"))[0] == [NOON_MS]


def test_native_dates():
    assert read([datetime(2010, 12, 1).date()])[0] == [1_291_161_600_000]


def test_positions_are_left_alone_where_the_data_says_so():
    assert read([3, 1, 2_000_000_000], "order")[0] == [3, 1, 2_000_000_000]
    assert read(["3", "1"], "none")[0] == [3, 1]


def test_each_bad_cell_has_its_reason():
    values = ["1291200000", "", None, "soon", "99999999999999999", "nan"]
    out, bad, _ = read(values, "real")
    assert out == [NOON_MS, None, None, None, None, None]
    assert bad == {MISSING: [1, 2], UNREADABLE: [3, 5], OUT_OF_RANGE: [4]}


def test_iso_and_seconds_may_stand_in_one_column():
    out, bad, reader = read(["1291200000", "2010-12-01T10:40:00Z"])
    assert out == [NOON_MS, NOON_MS]
    assert not bad
    assert reader.finish()[0] == "real"


def test_a_mix_of_units_is_an_error():
    _, bad, reader = read([1291200000, 1291200000, 1291200000000, 1291200000000])
    assert bad == {MIXED: [2, 3]}
    with pytest.raises(DataError, match=r"2 times look like seconds and 2 like milliseconds.*Convert the column"):
        reader.finish()


def test_a_few_of_another_unit_are_put_aside():
    out, bad, reader = read([1291200000 + i for i in range(200)] + [1291200000000])
    assert bad == {MIXED: [200]}
    assert out[0] == NOON_MS
    assert reader.finish()[0] == "real"


@pytest.mark.parametrize(
    ("values", "time", "divisor"),
    [
        ([0, 0, 0], "none", 1000),
        ([1291200000] * 30, "none", 1000),
        ([1, 2, 3], "order", 1000),
        ([1291200000] * 3, "real", 1),
    ],
)
def test_guesses_are_made_from_the_numbers_and_said(values, time, divisor):
    guessed, seen, sentence = read(values)[2].finish()
    assert (guessed, seen) == (time, divisor)
    assert time in sentence


def test_what_is_stated_is_not_guessed():
    assert read([1, 2, 3], "real")[2].finish() == ("real", 1, "")


@given(st.lists(st.integers(100_000_000_000, 9_999_999_999_999), min_size=1, max_size=30))
def test_round_trip_of_milliseconds_through_iso(times):
    texts = [datetime.fromtimestamp(t / 1000, UTC).isoformat(timespec="milliseconds") for t in times]
    exact = [round(datetime.fromisoformat(text).timestamp() * 1000) for text in texts]
    assert parse_iso(pl.Series(texts)).to_list() == exact


@given(st.lists(st.one_of(st.none(), st.text(max_size=12), st.integers().map(str)), max_size=20))
def test_any_text_is_a_number_a_time_or_neither(values):
    numbers, iso = split_times(pl.Series(values, dtype=pl.String))
    assert len(numbers) == len(iso) == len(values)
    out, bad, _ = read(values, "real", pl.String)
    explained = {row for rows in bad.values() for row in rows}
    assert {row for row, value in enumerate(out) if value is None} <= explained

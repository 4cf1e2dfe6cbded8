"""Reading files of each format: what is good arrives, what is bad is put aside with line and reason."""

import csv
import gzip
import io
import json
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inkling.core.errors import DataError
from inkling.events import source
from inkling.events.delimited import read_delimited
from inkling.events.read import read_table
from inkling.events.schema import DatasetInfo

HEADER = "user_id,item_id,timestamp,event,value\n"
GOOD = "u1,i1,1291200000,purchase,2\n"


def save(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def load(folder, content, name="events.csv", kind="events", **info):
    return read_table(save(folder, name, content), kind, info=DatasetInfo(**info))


def reasons(loaded):
    return [(reject.line, reject.reason) for reject in loaded.rejects]


def test_columns_and_types_of_events(tmp_path):
    loaded = load(tmp_path, HEADER + GOOD + ",i2,1291200001,,\n")
    assert loaded.frame.schema == {
        "user_id": pl.String,
        "item_id": pl.String,
        "timestamp": pl.Int64,
        "event": pl.String,
        "value": pl.Float32,
    }
    assert loaded.frame.rows() == [
        ("u1", "i1", 1291200000000, "purchase", 2.0),
        (None, "i2", 1291200001000, "interaction", None),
    ]
    assert loaded.report.rows == 2
    assert not loaded.rejects


def test_bad_rows_are_put_aside_and_never_stop_the_load(tmp_path):
    lines = [
        GOOD,
        "u1,i1\n",
        "u1,i1,never,purchase,2\n",
        "\n",
        "u1,i1,1291200000,purchase,many\n",
        ",,1291200000,purchase,1\n",
        "u1,i1,,purchase,1\n",
        "u1,i1,1291200000,purchase,1,6\n",
        "u1,i1,1291200000,purchase,inf\n",
        GOOD,
    ]
    loaded = load(tmp_path, HEADER + "".join(lines))
    assert loaded.frame.height == 2
    assert reasons(loaded) == [
        (3, "2 fields, expected 5"),
        (4, "timestamp is no number and no ISO 8601 time"),
        (6, "value is no number"),
        (7, "neither user_id nor item_id"),
        (8, "no timestamp"),
        (9, "6 fields, expected 5"),
        (10, "value is no number"),
    ]
    assert loaded.rejects[1].raw == "u1,i1,never,purchase,2"
    assert loaded.report.rejected == 7
    assert loaded.report.reasons["value is no number"] == 2


def test_lines_are_physical_and_known_by_the_first_of_a_record(tmp_path):
    text = 'user_id,item_id,timestamp,text\nu,i,1291200000,"two\nlines"\nu,i,x,"bad\nrow"\nu,i,y,bad\n'
    loaded = load(tmp_path, text)
    assert loaded.frame["text"].to_list() == ["two\nlines"]
    assert [line for line, _ in reasons(loaded)] == [4, 6]
    assert loaded.rejects[0].raw == 'u,i,x,"bad\nrow"'


def test_line_numbers_hold_over_many_small_blocks(tmp_path, monkeypatch):
    monkeypatch.setitem(source.read_blocks.__kwdefaults__, "block_bytes", 64)
    lines = [GOOD if i % 7 else f"u,i,bad{i},e,1\n" for i in range(200)]
    loaded = load(tmp_path, HEADER + "".join(lines))
    assert [line for line, _ in reasons(loaded)] == [i + 2 for i in range(200) if i % 7 == 0]
    assert loaded.frame.height == 200 - len(loaded.rejects)
    assert all(f"bad{reject.line - 2}," in reject.raw for reject in loaded.rejects)


def test_rows_that_are_not_utf8_are_put_aside(tmp_path):
    loaded = load(tmp_path, HEADER.encode() + GOOD.encode() + b"\xff\xfe,i,1291200000,e,1\n")
    assert reasons(loaded) == [(3, "bytes that are not UTF-8")]
    assert loaded.rejects[0].raw.startswith("\\xff\\xfe,i")


def test_a_header_that_is_not_utf8_is_an_error(tmp_path):
    with pytest.raises(DataError, match=r"header is not UTF-8.*Save it as UTF-8"):
        load(tmp_path, b"user_id,item_id,timestamp,\xff\n")
    with pytest.raises(DataError, match="UTF-16"):
        load(tmp_path, HEADER.encode("utf-16"))


def test_a_byte_order_mark_is_no_part_of_the_name(tmp_path):
    assert load(tmp_path, b"\xef\xbb\xbf" + (HEADER + GOOD).encode()).frame.height == 1


@pytest.mark.parametrize("content", ["", "\n", HEADER])
def test_an_empty_file_is_an_error(tmp_path, content):
    with pytest.raises(DataError, match=r"is empty|has no column"):
        load(tmp_path, content)


def test_a_file_of_nothing_but_bad_rows_is_an_error(tmp_path):
    with pytest.raises(DataError, match="not one of 2 rows could be read; line 2: 1 fields, expected 5"):
        load(tmp_path, HEADER + "x\ny\n")


def test_a_missing_column_is_named_with_those_that_are_there(tmp_path):
    with pytest.raises(DataError, match=r"no column 'item_id'; it has 'user_id', 'product'.*\[columns\]"):
        load(tmp_path, "user_id,product,timestamp\nu,i,1\n")
    with pytest.raises(DataError, match=r"no column 'timestamp'.*time = .none."):
        load(tmp_path, "user_id,item_id\nu,i\n")


def test_columns_may_be_renamed(tmp_path):
    text = "customer,sku,when\nu,i,2010-12-01\n"
    loaded = load(tmp_path, text, columns={"customer": "user_id", "sku": "item_id", "when": "timestamp"})
    assert loaded.frame.row(0)[:3] == ("u", "i", 1291161600000)


def test_data_without_times_may_say_so(tmp_path):
    loaded = load(tmp_path, "user_id,item_id\nu,i\nu,j\n", time="order")
    assert loaded.frame["timestamp"].to_list() == [0, 1]


@pytest.mark.parametrize(("name", "delimiter"), [("events.csv", ";"), ("events.csv", "\t"), ("events.tsv", ",")])
def test_a_wrong_delimiter_is_seen(tmp_path, name, delimiter):
    text = (HEADER + GOOD).replace(",", delimiter)
    with pytest.raises(DataError, match=r"finds one column.*would find 5"):
        load(tmp_path, text, name=name)


def test_another_delimiter_may_be_stated(tmp_path):
    assert load(tmp_path, (HEADER + GOOD).replace(",", ";"), delimiter=";").frame.height == 1


def test_a_column_named_twice_is_an_error(tmp_path):
    with pytest.raises(DataError, match="names the column 'user_id' twice"):
        load(tmp_path, "user_id,user_id,item_id,timestamp\n1,2,3,4\n")


def test_old_line_ends_are_an_error(tmp_path):
    with pytest.raises(DataError, match="CR alone"):
        load(tmp_path, (HEADER + GOOD).replace("\n", "\r"))


def test_windows_line_ends_are_read(tmp_path):
    loaded = load(tmp_path, (HEADER + GOOD + "\n" + GOOD).replace("\n", "\r\n"))
    assert loaded.frame["value"].to_list() == [2.0, 2.0]


def test_an_unknown_format_is_an_error(tmp_path):
    with pytest.raises(DataError, match=r"unknown format '.xlsx'"):
        load(tmp_path, "x", name="events.xlsx")


def test_mixed_units_are_an_error(tmp_path):
    with pytest.raises(DataError, match=r"events.csv, timestamp: 1 times look like seconds and 1 like milliseconds"):
        load(tmp_path, HEADER + "u,i,1291200000,e,1\nu,i,1291200000000,e,1\n")


def test_stray_quotes_stay_in_the_text(tmp_path):
    items = 'item_id,title\n1,5" pipe\n2,"a ""b"", c"\n3,"open\n4,fine\n'
    loaded = load(tmp_path, items, name="items.csv", kind="items")
    assert loaded.frame.rows() == [("1", '5" pipe'), ("2", 'a "b", c'), ("4", "fine")]
    assert reasons(loaded) == [(4, "a quote is opened and never closed")]


def test_items_have_lists_prices_and_times_and_the_last_of_an_id_wins(tmp_path):
    text = "item_id,title,categories,price,created_at,brand\n1,a,x|y,2.5,2010-12-01,b\n1,new,,,,\n2,c,z,x,,\n,d,,,,\n"
    loaded = load(tmp_path, text, name="items.csv", kind="items")
    assert loaded.frame.rows() == [("1", "new", None, None, None, None)]
    assert loaded.report.duplicate_ids == 1
    assert reasons(loaded) == [(4, "price is no number"), (5, "no item_id")]


def test_categories_are_lists(tmp_path):
    text = "item_id,categories,created_at\n1, x | y ,1291161600\n"
    loaded = load(tmp_path, text, name="items.csv", kind="items")
    assert loaded.frame.row(0) == ("1", ["x", "y"], 1291161600000)


def test_links_weigh_one_unless_said(tmp_path):
    loaded = load(tmp_path, "user_id,friend_id,weight\na,b,\na,c,.5\na,,1\n", name="links.csv", kind="links")
    assert loaded.frame.rows() == [("a", "b", 1.0), ("a", "c", 0.5)]
    assert reasons(loaded) == [(4, "no friend_id")]


def test_columns_without_a_meaning_are_named(tmp_path):
    loaded = load(tmp_path, "user_id,item_id,timestamp,colour,context.device\nu,i,1291200000,red,phone\n")
    assert loaded.report.ignored_columns == ("colour",)
    assert loaded.frame["context.device"].to_list() == ["phone"]


@pytest.mark.parametrize("packing", ["", ".gz", ".zst"])
@pytest.mark.parametrize("form", ["csv", "tsv", "jsonl", "ndjson"])
def test_every_format_in_every_packing(tmp_path, form, packing):
    rows = [("u1", "i,1", 1291200000, 'say "hi"'), ("u2", "京", 1291200001, "x\ty")]
    path = tmp_path / f"events.{form}{packing}"
    write(rows, path, form, packing)
    loaded = read_table(path, "events")
    assert loaded.frame.select("user_id", "item_id", "timestamp", "text").rows() == [
        (user, item, ts * 1000, text) for user, item, ts, text in rows
    ]


def write(rows, path, form, packing):
    names = ["user_id", "item_id", "timestamp", "text"]
    if form in ("csv", "tsv"):
        out = io.StringIO()
        writer = csv.writer(out, delimiter="," if form == "csv" else "\t")
        writer.writerows([names, *rows])
        content = out.getvalue().encode()
    else:
        content = "".join(json.dumps(dict(zip(names, row, strict=True))) + "\n" for row in rows).encode()
    if packing == ".gz":
        content = gzip.compress(content)
    if packing == ".zst":
        lines = content.decode().removesuffix("\n").split("\n")
        frame = pl.LazyFrame({"line": lines})
        frame.sink_csv(
            path, include_header=False, quote_style="never", separator="\x01", compression="zstd", check_extension=False
        )
    else:
        path.write_bytes(content)


@pytest.mark.parametrize("name", ["events.csv.gz", "events.csv.zst", "events.parquet.gz"])
def test_a_file_that_is_not_packed_as_its_name_says(tmp_path, name):
    with pytest.raises(DataError, match="cannot be unpacked"):
        load(tmp_path, HEADER + GOOD, name=name)


def test_a_truncated_gz_is_an_error(tmp_path):
    packed = gzip.compress((HEADER + GOOD * 1000).encode())
    with pytest.raises(DataError, match=r"cannot be unpacked.*damaged"):
        load(tmp_path, packed[: len(packed) // 2], name="events.csv.gz")


def test_a_truncated_zst_is_an_error(tmp_path):
    path = tmp_path / "events.csv.zst"
    write([("u", "i", 1291200000, str(i)) for i in range(5000)], path, "csv", ".zst")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(DataError, match="cannot be unpacked"):
        read_table(path, "events")


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        read_table(tmp_path / "events.csv", "events")


def test_progress_is_told(tmp_path):
    told = []
    read_table(
        save(tmp_path, "events.csv", HEADER + GOOD), "events", progress=lambda name, n, total: told.append((name, n))
    )
    assert told == [("events.csv", 1)]


CELL = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\r\x00"), min_size=1, max_size=8)
ROWS = st.lists(st.tuples(CELL, CELL, st.integers(10**8, 10**10), CELL), min_size=1, max_size=15)
SAFE = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)


@SAFE
@given(rows=ROWS)
@pytest.mark.parametrize("form", ["csv", "tsv", "jsonl"])
def test_round_trip(tmp_path, form, rows):
    path = tmp_path / f"events.{form}"
    write(rows, path, form, "")
    loaded = read_table(path, "events", info=DatasetInfo(time="real"))
    assert not loaded.rejects
    assert loaded.frame.select("user_id", "item_id", "timestamp", "text").rows() == [
        (user, item, ts * 1000, text) for user, item, ts, text in rows
    ]


@SAFE
@given(rows=ROWS)
def test_round_trip_parquet(tmp_path, rows):
    names = ["user_id", "item_id", "timestamp", "text"]
    pl.DataFrame(rows, schema=names, orient="row").write_parquet(tmp_path / "events.parquet")
    loaded = read_table(tmp_path / "events.parquet", "events", info=DatasetInfo(time="real"))
    assert loaded.frame.select(names).rows() == [(u, i, ts * 1000, text) for u, i, ts, text in rows]


@SAFE
@given(content=st.binary(max_size=200), size=st.integers(8, 64))
def test_no_content_vanishes_or_breaks_the_reader(tmp_path, content, size):
    path = save(tmp_path, "events.csv", b"a,b\n" + content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(source.read_blocks.__kwdefaults__, "block_bytes", size)
        found = list(read_delimited(path, delimiter=","))
    n_rows = sum(piece.frame.height + len(piece.broken) for piece in found)
    if b'"' not in content:
        assert n_rows == sum(1 for line in content.split(b"\n") if line.removesuffix(b"\r"))

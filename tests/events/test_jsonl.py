import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from inkling.events.jsonl import read_jsonl, table_of
from inkling.events.read import read_table


def load(tmp_path, content, kind="events"):
    path = tmp_path / f"{kind}.jsonl"
    path.write_bytes(content)
    return read_table(path, kind)


def test_bad_lines_are_told_apart(tmp_path):
    good = b'{"user_id":"u","item_id":"i","timestamp":1291200000}\n'
    bad = b'{"user_id":\n\n[1,2]\n{"user_id":"\xff"}\n{"item_id":5,"timestamp":"x"}\n'
    loaded = load(tmp_path, good + bad + good)
    assert loaded.frame.height == 2
    assert [(reject.line, reject.reason) for reject in loaded.rejects] == [
        (2, "not a JSON object: malformed"),
        (4, "not a JSON object"),
        (5, "bytes that are not UTF-8"),
        (6, "timestamp is no number and no ISO 8601 time"),
    ]
    assert loaded.rejects[-1].raw == '{"item_id":5,"timestamp":"x"}'


def test_nested_context_becomes_columns(tmp_path):
    loaded = load(
        tmp_path,
        b'{"user_id":1,"item_id":2,"timestamp":"2010-12-01","context":{"device":"tv"}}\n'
        b'{"user_id":1,"item_id":2,"timestamp":1291200000}\n',
    )
    assert loaded.frame["context.device"].to_list() == ["tv", None]
    assert loaded.frame["user_id"].to_list() == ["1", "1"]
    assert loaded.frame["timestamp"].to_list() == [1291161600000, 1291200000000]


def test_a_byte_order_mark_is_no_part_of_the_first_line(tmp_path):
    assert load(tmp_path, b'\xef\xbb\xbf{"user_id":"u","item_id":"i","timestamp":1291200000}').frame.height == 1


def test_lists_of_categories(tmp_path):
    loaded = load(tmp_path, b'{"item_id":"1","categories":["a","b"]}\n{"item_id":"2"}\n', kind="items")
    assert loaded.frame["categories"].to_list() == [["a", "b"], None]


def test_types_that_change_between_blocks_meet_as_text(tmp_path, monkeypatch):
    from inkling.events import source

    monkeypatch.setitem(source.read_blocks.__kwdefaults__, "block_bytes", 40)
    lines = [b'{"item_id":"a","size":1}', b'{"item_id":"b","size":"XL"}', b'{"item_id":"c","size":2.5}']
    loaded = load(tmp_path, b"\n".join(lines), kind="items")
    assert loaded.frame["size"].to_list() == ["1", "XL", "2.5"]


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(max_size=5),
    st.lists(st.text(max_size=3)),
)


@given(st.lists(st.dictionaries(st.sampled_from("abc"), VALUES, max_size=3), max_size=8))
def test_a_table_loses_no_value(rows):
    table = table_of(rows)
    for name in table.columns:
        column = table[name].to_list()
        for row, value in zip(rows, column, strict=True):
            assert (value is None) == (row.get(name) is None)
            if table[name].dtype == pl.String and isinstance(row.get(name), str):
                assert value == row[name]


def test_an_unfinished_last_line_is_read(tmp_path):
    path = tmp_path / "events.jsonl"
    path.write_bytes(b'{"a":1}\n{"a":2}')
    assert [piece.frame["a"].to_list() for piece in read_jsonl(path)] == [[1, 2]]

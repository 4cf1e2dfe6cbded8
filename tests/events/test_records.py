import csv
import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inkling.events.quotes import MISPLACED, UNCLOSED, find_records_slowly
from inkling.events.records import NOT_UTF8, find_records

CELLS = st.text(alphabet=st.sampled_from('ab,"\n\r;é京 '), max_size=6)


def contents(block, records):
    return [block[start:end] for start, end in zip(records.starts, records.ends, strict=True)]


def find(block, n_fields=3, *, quoted=True, final=True):
    return find_records(block, ",", n_fields, quoted=quoted, final=final)


def test_plain_records_and_their_lines():
    block = b"a,b,c\n1,2,3\r\n\n4,5,6"
    records = find(block)
    assert contents(block, records) == [b"a,b,c", b"1,2,3", b"4,5,6"]
    assert records.lines.tolist() == [0, 1, 3]
    assert (records.consumed, records.n_lines) == (len(block), 3)


def test_an_unfinished_record_waits_for_more():
    records = find(b"a,b,c\n1,2", final=False)
    assert (len(records.starts), records.consumed, records.n_lines) == (1, 6, 1)


def test_wrong_counts_are_named():
    records = find(b"a,b\n1,2,3\n1,2,3,4\n")
    assert records.reasons == {0: "2 fields, expected 3", 2: "4 fields, expected 3"}
    assert records.good().tolist() == [False, True, False]


def test_quotes_protect_separators_and_line_breaks():
    block = b'a,"b,\nb",c\nd,"""e""",f\n'
    records = find(block)
    assert contents(block, records) == [b'a,"b,\nb",c', b'd,"""e""",f']
    assert records.lines.tolist() == [0, 2]
    assert not records.reasons


def test_bytes_that_are_not_utf8_cost_their_own_record():
    records = find("a,é,c\n".encode() + b"a,\xff,c\n" + "x,京,z\n".encode())
    assert records.reasons == {1: NOT_UTF8}


@pytest.mark.parametrize("block", [b'a,5" pipe,c\n', b'a,"x"y,c\n', b'a,"b,c\n', b'a, "b",c\n'])
def test_misplaced_quotes_are_left_to_the_slow_way(block):
    assert find(block) is None


def test_without_quoting_a_quote_is_a_letter():
    assert not find(b'a,5" pipe,c\n', quoted=False).reasons


def test_a_stray_quote_costs_nothing_where_the_count_is_right():
    block = b'a,5" pipe,c\nd,e,f\n'
    records = find_records_slowly(block, ",", 3, final=True)
    assert records.rewritten == {0: b'"a","5"" pipe","c"'}
    assert not records.reasons


def test_an_open_quote_costs_one_line():
    block = b'a,"b,c\nd,e,f\n"g",h,i\n'
    records = find_records_slowly(block, ",", 3, final=True)
    assert records.reasons == {0: UNCLOSED}
    assert contents(block, records)[1:] == [b"d,e,f", b'"g",h,i']


def test_misplaced_quotes_with_a_wrong_count():
    assert find_records_slowly(b'a,5" x\n1,2,3\n', ",", 3, final=True).reasons == {0: MISPLACED}


def test_an_open_quote_at_the_end_of_a_block_waits_for_more():
    records = find_records_slowly(b'a,5" b,c\na,"b\n', ",", 3, final=False)
    assert (len(records.starts), records.consumed) == (1, 9)


def written(rows):
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue().encode()


@given(st.lists(st.tuples(CELLS, CELLS, CELLS), max_size=12), st.booleans())
def test_what_csv_writes_both_ways_find_alike(rows, final):
    block = written(rows)
    fast = find_records(block, ",", 3, quoted=True, final=final)
    slow = find_records_slowly(block, ",", 3, final=final)
    for records in (fast, slow):
        assert len(records.starts) == len(rows)
        assert not records.reasons
        assert records.n_lines == block.count(b"\n")
    np.testing.assert_array_equal(fast.starts, slow.starts)
    np.testing.assert_array_equal(fast.lines, slow.lines)
    np.testing.assert_array_equal(fast.ends, slow.ends)


@given(st.lists(st.text(alphabet='ab,"\r', max_size=10).map(str.encode), max_size=10))
def test_the_slow_way_accounts_for_every_line(lines):
    block = b"\n".join(lines)
    records = find_records_slowly(block, ",", 2, final=True)
    covered = b"\n".join(contents(block, records)).replace(b"\r", b"")
    assert covered.replace(b"\n", b"") == block.replace(b"\r", b"").replace(b"\n", b"")
    assert records.consumed == len(block)

import unicodedata

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inkling.events.text import clean_column, clean_text


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("plain", "plain"),
        ("  two   spaces\n and a line ", "two spaces and a line"),
        ("<p>One</p><p>Two</p>", "One Two"),
        ("<b>bold</b>er", "bolder"),
        ("a<br/>b", "a b"),
        ("x<script>alert('<b>')</script>y", "x y"),
        ("x<style type='a'>p{}</STYLE >y", "x y"),
        ("x<!-- no -->y", "x y"),
        ("x<script>never closed", "x"),
        ("Fish &amp; chips &#163;5 &eacute;", "Fish & chips £5 é"),
        ("&amp;lt; once", "&lt; once"),
        ("1 < 2 and 3 > 2", "1 < 2 and 3 > 2"),
        ("I <3 you", "I <3 you"),
        ("cafe\u0301", "café"),
        ("ﬁ ２ x²", "ﬁ ２ x²"),
        ("zero\u200bwidth\u0000nul\ufeff", "zerowidthnul"),
        ("全角　空格", "全角 空格"),
        ("<a href='x>y'>link</a>", "y'>link"),
    ],
)
def test_what_people_see(raw, clean):
    assert clean_text(raw) == clean


@given(st.text())
def test_cleaning_leaves_composed_text_with_single_spaces(text):
    cleaned = clean_text(text)
    assert cleaned == " ".join(cleaned.split())
    assert unicodedata.is_normalized("NFC", cleaned)


@given(st.lists(st.one_of(st.none(), st.text(max_size=20)), min_size=1))
def test_a_column_is_its_cells(texts):
    cleaned, n_changed = clean_column(pl.Series(texts, dtype=pl.String))
    expected = [None if text is None else (clean_text(text) or (None if text else text)) for text in texts]
    assert cleaned.to_list() == expected
    assert n_changed == sum(old != new for old, new in zip(texts, expected, strict=True))


def test_plain_columns_come_back_as_they_are():
    column = pl.Series(["a b", "c", None])
    cleaned, n_changed = clean_column(column)
    assert cleaned is column
    assert n_changed == 0

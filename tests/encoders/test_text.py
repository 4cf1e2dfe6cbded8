from __future__ import annotations

import pytest

from inkling.core.errors import RequestError
from inkling.encoders._text import MAX_CHARACTERS, readable


def test_texts_are_cut_and_lone_surrogates_replaced():
    assert readable(["red", "\ud800x", "a" * 10_000]) == ["red", "?x", "a" * MAX_CHARACTERS]


def test_one_string_is_refused():
    with pytest.raises(RequestError, match=r"one string, expected a sequence of texts. Write encode\(\[text\]\)"):
        readable("red mug")


def test_what_is_no_text_is_refused():
    with pytest.raises(RequestError, match=r"was given a float, expected texts. Use '' for no text"):
        readable(["red", 1.5])

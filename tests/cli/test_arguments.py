import argparse

import pytest

from inkling.cli import _arguments as arguments


def test_lists():
    assert arguments.words("a, b,,c") == ("a", "b", "c")
    assert arguments.whole_numbers("10,20") == (10, 20)
    assert arguments.shares(".5,.9") == (0.5, 0.9)


@pytest.mark.parametrize(
    ("read", "text", "told"),
    [
        (arguments.words, " , ", "expected names"),
        (arguments.whole_numbers, "10,x", "'10,x': expected whole numbers"),
        (arguments.shares, "a", "'a': expected numbers"),
        (arguments.pair, "key", "expected key=value"),
        (arguments.pair, "=3", "expected key=value"),
    ],
)
def test_lists_that_are_none(read, text, told):
    with pytest.raises(argparse.ArgumentTypeError, match=told):
        read(text)


def test_a_value_may_hold_an_equals_sign():
    assert arguments.pair("a.b=c=d") == ("a.b", "c=d")

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inkling.core.errors import ConfigError
from inkling.privacy.pseudonym import ID_LENGTH, pseudonym, pseudonyms

SECRET = b"0123456789abcdef"


@given(st.text(), st.text())
def test_equal_ids_alone_have_equal_pseudonyms(one, two):
    assert (pseudonym(one, SECRET) == pseudonym(two, SECRET)) == (one == two)
    assert len(pseudonym(one, SECRET)) == ID_LENGTH


def test_another_secret_gives_others():
    assert pseudonym("alice", SECRET) != pseudonym("alice", SECRET + b"!")
    assert pseudonym("alice", SECRET) != pseudonym("alice", SECRET * 9)


def test_a_pseudonym_never_changes():
    assert pseudonym("alice", SECRET) == "pK6vQVeCEkE7dnyU"


def test_many_are_each():
    assert pseudonyms(["a", None, "b", "a"], SECRET) == [
        pseudonym("a", SECRET), None, pseudonym("b", SECRET), pseudonym("a", SECRET)
    ]  # fmt: skip


def test_a_short_secret_is_none():
    with pytest.raises(ConfigError, match=r"has 3 bytes, expected at least 16.*token_hex"):
        pseudonym("a", b"abc")

"""Messages that show the way."""

from __future__ import annotations

from inkling.core import errors
from inkling.core.errors import InklingError, nearest


def test_the_nearest_spelling_comes_first_and_all_are_named():
    assert nearest("popluar", ["markov", "popular"]) == "Did you mean 'popular'? Allowed: markov, popular."
    assert nearest("zzz", ["markov", "popular"]) == "Allowed: markov, popular."


def test_an_error_is_its_message_and_its_hint():
    error = InklingError("k is 0.", hint="Use 1 or more.")
    assert str(error) == "k is 0. Use 1 or more."
    assert (error.message, error.hint) == ("k is 0.", "Use 1 or more.")
    assert str(InklingError("k is 0.")) == "k is 0."


def test_every_kind_of_error_has_a_code_of_its_own():
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, InklingError)]
    assert len({kind.code for kind in kinds}) == len(kinds) == 15

import pytest

from inkling.core.errors import ConfigError
from inkling.core.space import Choice, Real, Whole


def test_ranges_hold_something():
    assert Real(0.1, 1.0, log=True).high == 1.0
    assert Whole(1, 5).low == 1
    assert Choice((1, 2)).values == (1, 2)


@pytest.mark.parametrize("make", [lambda: Real(1, 1), lambda: Whole(3, 2), lambda: Real(0, 1, log=True)])
def test_an_empty_range_is_refused(make):
    with pytest.raises(ConfigError, match="holds nothing"):
        make()


def test_a_choice_needs_values():
    with pytest.raises(ConfigError, match="no values"):
        Choice(())

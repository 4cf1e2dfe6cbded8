"""What now is."""

from __future__ import annotations

import pytest

from inkling.engine.clock import LiveClock

DAY = 86_400_000
TODAY_S = 1_700_000_000
TODAY = TODAY_S * 1000


class Wall:
    """A clock on the wall that the test moves."""

    def __init__(self):
        self.s = TODAY_S

    def __call__(self):
        return self.s


@pytest.mark.parametrize(
    ("kind", "newest", "now", "follows"),
    [
        ("wall", TODAY - 900 * DAY, TODAY + 60_000, False),
        ("data", TODAY - 900 * DAY, TODAY - 900 * DAY + 60_000, True),
        ("data", TODAY - DAY, TODAY - DAY + 60_000, True),
        ("auto", TODAY - 900 * DAY, TODAY - 900 * DAY + 60_000, True),
        ("auto", TODAY - DAY, TODAY + 60_000, False),
        ("auto", 0, TODAY + 60_000, False),  # no event yet
        ("auto", TODAY + DAY, TODAY + DAY, False),  # never before the newest event
    ],
)
def test_a_minute_after_the_engine_was_opened(kind, newest, now, follows):
    wall = Wall()
    clock = LiveClock(kind, "real", wall=wall)
    wall.s += 60
    assert clock.now_ms(newest) == now
    assert clock.follows_data(newest) is follows


@pytest.mark.parametrize("kind", ["auto", "wall", "data"])
def test_where_there_are_no_times_now_is_a_position(kind):
    assert LiveClock(kind, "order", wall=Wall()).now_ms(41) == 42
    assert LiveClock(kind, "none", wall=Wall()).now_ms(41) == 41
    assert LiveClock(kind, "order", wall=Wall()).follows_data(41) is False

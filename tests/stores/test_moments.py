from __future__ import annotations

import pytest

from inkling.core.errors import RequestError
from inkling.stores.moments import moment_ms


@pytest.mark.parametrize(
    ("value", "ms"),
    [
        (0, 0),
        (1_700_000_000, 1_700_000_000_000),
        (1_700_000_000.25, 1_700_000_000_250),
        (1_700_000_000_123, 1_700_000_000_123),
        ("1700000000", 1_700_000_000_000),
        ("2023-11-14T22:13:20Z", 1_700_000_000_000),
        ("2023-11-14T22:13:20", 1_700_000_000_000),
        (" 2023-11-15 00:13:20.500+02:00 ", 1_700_000_000_500),
        ("2023-11-14", 1_699_920_000_000),
    ],
)
def test_times(value, ms):
    assert moment_ms(value) == ms


@pytest.mark.parametrize("value", ["soon", "", None, True, [], {}, float("nan"), float("inf"), 1e15, 10**400, "1e999"])
def test_no_times(value):
    with pytest.raises(RequestError, match=r"created_at is .*, which is no time. Write epoch seconds"):
        moment_ms(value, field="created_at")

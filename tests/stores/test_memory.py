from __future__ import annotations

import pytest

from inkling.stores.base import Changes
from inkling.stores.memory import MemoryLog
from inkling.testing.stores import ChangeLogContract


class TestMemoryLog(ChangeLogContract):
    @pytest.fixture
    def address(self):
        return "memory://"


def test_the_clock_is_the_callers():
    log = MemoryLog(clock=lambda: 12.5)
    log.append(Changes("items", ({"item_id": "mug"},)))
    assert next(log.scan()).ts == 12_500

from __future__ import annotations

import pytest

from inkling.core.errors import StoreError
from inkling.stores.address import open_log
from inkling.stores.base import Changes
from inkling.stores.memory import MemoryLog
from inkling.stores.sqlite import FILE_NAME


def test_memory():
    first, second = open_log("memory://"), open_log("memory://")
    first.append(Changes("items", ({"item_id": "mug"},)))
    assert isinstance(first, MemoryLog)
    assert second.version == 0


def test_paths_and_file_addresses_are_the_same_place(tmp_path):
    for address in (str(tmp_path / "a b"), f"file://{tmp_path}/a%20b", f"file://localhost{tmp_path}/a%20b"):
        log = open_log(address, durability="os")
        log.append(Changes("items", ({"item_id": "mug"},)))
        log.close()
    assert (tmp_path / "a b" / FILE_NAME).is_file()
    log = open_log(str(tmp_path / "a b"))
    assert log.version == 3
    log.close()


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("postgres://host/db", r"'postgres://' is unknown. Allowed: memory://, file:///a/folder, or a plain path"),
        ("http://host:8080", r"'http://' is unknown. A running server is opened with inkling.open"),
        ("file://host/shop", r"no local folder. Write file:///a/folder"),
        ("memory://shop", r"names something after memory://"),
        ("  ", r"is empty. Allowed"),
        ("file://", r"is empty. Allowed"),
    ],
)
def test_other_addresses(address, said):
    with pytest.raises(StoreError, match=said):
        open_log(address)

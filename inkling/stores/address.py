"""An address chooses where a log lives, once, at the edge."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

from inkling.core.errors import StoreError
from inkling.stores.base import ChangeLog
from inkling.stores.memory import MemoryLog
from inkling.stores.sqlite import Durability

ALLOWED = "Allowed: memory://, file:///a/folder, or a plain path."


def open_log(url: str, *, durability: Durability = "fsync") -> ChangeLog:
    """Open the change log at an address, creating it where it is missing.

    Args:
        url: ``memory://``, ``file:///a/folder`` or a plain path to a folder.
        durability: "fsync": what is acknowledged survives a power cut; "os": it survives the process.

    Raises:
        StoreError: The address is of no known form, or what lies there cannot be used.
        ConfigError: The durability is unknown.
    """
    scheme, separator, rest = url.partition("://")
    if not separator:
        return _open_folder(url, durability)
    if scheme == "memory":
        if rest:
            raise StoreError(f"'{url}' names something after memory://.", hint="Every memory:// is a log of its own.")
        return MemoryLog()
    if scheme == "file":
        parts = urlsplit(url)
        if parts.netloc not in ("", "localhost") or parts.query or parts.fragment:
            raise StoreError(f"'{url}' is no local folder.", hint="Write file:///a/folder, with three slashes.")
        return _open_folder(unquote(parts.path), durability)
    hint = "A running server is opened with inkling.open. " if scheme in ("http", "https") else ""
    raise StoreError(f"'{url}' is no address of a store: '{scheme}://' is unknown.", hint=hint + ALLOWED)


def _open_folder(path: str, durability: Durability) -> ChangeLog:
    from inkling.stores.sqlite import SqliteLog

    if not path.strip():
        raise StoreError("The address of the store is empty.", hint=ALLOWED)
    return SqliteLog(path, durability=durability)

"""The address of a server, checked once."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import inkling
from inkling.core.errors import ConfigError

KEY_VARIABLE = "INKLING_KEY"
_CONNECTIONS = 16
_KEPT_S = 4.0  # shorter than a server keeps an idle connection, so that none is used while it is being closed


def is_remote(url: str) -> bool:
    """Tell whether an address names a server."""
    return url.partition("://")[0].lower() in ("http", "https")


def checked(url: str) -> str:
    """Return the address of a server without a slash at its end.

    Raises:
        ConfigError: It is none.
    """
    try:
        parts = urlsplit(url)
        named = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        named = False
    if not named or not is_remote(url) or parts.query or parts.fragment or "@" in parts.netloc:
        raise ConfigError(f"'{url}' is no address of a server.", hint="Write http://host:port, and the key apart.")
    return url.rstrip("/")


def client_settings(url: str, key: str, timeout_s: float) -> dict[str, Any]:
    """Return what both clients are made with: pooled connections, one time limit, the key."""
    import httpx2

    key = key or os.environ.get(KEY_VARIABLE, "")
    limits = httpx2.Limits(
        max_connections=_CONNECTIONS, max_keepalive_connections=_CONNECTIONS, keepalive_expiry=_KEPT_S
    )
    return {
        "base_url": url,
        "headers": _headers(key),
        "timeout": httpx2.Timeout(timeout_s),
        "limits": limits,
        "follow_redirects": False,
    }


def _headers(key: str) -> Mapping[str, str]:
    if not key.isascii() or any(not " " < letter < "\x7f" for letter in key):
        raise ConfigError("The key holds characters that no header can carry.", hint="Use letters, digits, - and _.")
    who = {"User-Agent": f"inkling/{inkling.__version__}", "Accept": "application/json"}
    return {**who, "Authorization": f"Bearer {key}"} if key else who

"""Who may call: keys as bearer tokens; without keys only this machine itself."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from collections.abc import Iterable

from starlette.types import Scope

from inkling.core.errors import ConfigError
from inkling.server.errors import HttpError

KEYS_VARIABLE = "INKLING_KEYS"


def parse_keys(text: str) -> tuple[str, ...]:
    """Return the keys of a comma-separated setting; blanks around them do not count."""
    return tuple(key.strip() for key in text.split(",") if key.strip())


class Keys:
    """The configured keys, kept as digests; none means that everyone who reaches the server may call."""

    def __init__(self, keys: Iterable[str] = ()) -> None:
        self._digests = [_digest(key.encode()) for key in keys]

    def __bool__(self) -> bool:
        return bool(self._digests)

    def check(self, scope: Scope) -> None:
        """Let a request through that carries one of the keys.

        Raises:
            HttpError: 401 when keys are configured and the request has none, or another one.
        """
        if not self._digests:
            return
        header = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
        scheme, _, token = header.partition(b" ")
        given = _digest(token.strip())
        # Every key is compared, so that the time taken does not tell which one nearly matched.
        matches = [hmac.compare_digest(given, known) for known in self._digests]
        if scheme.lower() != b"bearer" or not any(matches):
            seen = "carries no key" if not header else "carries a key that is not known here"
            raise HttpError(
                401,
                "unauthorized",
                f"The request {seen}.",
                hint="Send the header 'Authorization: Bearer KEY'.",
                headers={"WWW-Authenticate": "Bearer"},
            )


def is_loopback(host: str) -> bool:
    """Tell whether an address to listen on is reachable from this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def require_keys(host: str, keys: Iterable[str]) -> None:
    """Refuse to be open to others.

    Raises:
        ConfigError: ``host`` is no loopback address and there is no key.
    """
    if not is_loopback(host) and not any(keys):
        raise ConfigError(
            f"Listening on '{host}' would let everyone on the network in, and no key is configured.",
            hint=f"Set {KEYS_VARIABLE} (or --keys) to one or more keys, or listen on 127.0.0.1.",
        )


def _digest(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()

"""Ids that stand for people and tell nothing without the secret: a keyed hash (BLAKE2b, RFC 7693)."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable

from inkling.core.errors import ConfigError

MIN_SECRET_BYTES = 16
ID_BYTES = 12  # 96 bits: a collision among a billion people has a chance of 1 in 10^11
ID_LENGTH = 16


def check_secret(secret: bytes) -> bytes:
    """Return ``secret`` if it is long enough to be one.

    Raises:
        ConfigError: It is shorter than 16 bytes.
    """
    if len(secret) < MIN_SECRET_BYTES:
        raise ConfigError(
            f"The secret of pseudonyms has {len(secret)} bytes, expected at least {MIN_SECRET_BYTES}.",
            hint='Make one with: python -c "import secrets; print(secrets.token_hex())"',
        )
    return secret


def pseudonym(user_id: str, secret: bytes) -> str:
    """Return the 16 characters that stand for ``user_id``: the same for the same id and secret, always.

    Raises:
        ConfigError: The secret is shorter than 16 bytes.
    """
    return _hash(user_id, _key(check_secret(secret)))


def pseudonyms(user_ids: Iterable[str | None], secret: bytes) -> list[str | None]:
    """Return pseudonyms (N,) of many ids; a missing id stays missing. Each distinct id is hashed once.

    Raises:
        ConfigError: The secret is shorter than 16 bytes.
    """
    key = _key(check_secret(secret))
    ids = list(user_ids)
    known = {user_id: _hash(user_id, key) for user_id in set(ids) if user_id is not None}
    return [None if user_id is None else known[user_id] for user_id in ids]


def _key(secret: bytes) -> bytes:
    return hashlib.blake2b(secret, digest_size=32, person=b"inkling.key").digest()


def _hash(user_id: str, key: bytes) -> str:
    digest = hashlib.blake2b(user_id.encode(), digest_size=ID_BYTES, key=key).digest()
    return base64.urlsafe_b64encode(digest).decode()

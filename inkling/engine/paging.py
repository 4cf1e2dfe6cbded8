"""Where a list went up to: a cursor carries what was shown, so that the next page repeats nothing.

A cursor holds its own state: any worker can read it, also after a restart. It is checked, not signed: whoever writes
one by hand only leaves out items of their own list, which ``exclude`` allows anyway.
"""

from __future__ import annotations

import base64
import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

import msgspec

from inkling.core.errors import CursorError
from inkling.core.recommendation import RecommendedItem
from inkling.engine.base import Ask

LIVES_S = 600
MOST_SHOWN = 5_000
"""Items that one list can go through, page by page."""
_MOST_LETTERS = 400_000
_MOST_BYTES = 4_000_000
_CHECK = 8
_HINT = "Ask from the start, without a cursor."
_SAME: dict[str, object] = {
    "k": 0,
    "budget_ms": None,
    "min_version": None,
    "cursor": None,
    "explain": False,
    "language": "",
}
"""What may differ from page to page."""


class _Kept(msgspec.Struct, frozen=True, array_like=True):
    """What a cursor carries: until when it lives (epoch seconds), the version, whose it is, and what was shown."""

    until_s: int
    version: int
    question: bytes
    shown: tuple[str, ...]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Kept).decode
_as_json = msgspec.json.Encoder(order="sorted").encode


@dataclass(frozen=True, slots=True)
class Page:
    """A question with what its cursor says, and what the pages before it showed."""

    question: Ask
    shown: tuple[str, ...] = ()
    mark: bytes = b""
    """What the question is known by, where it came with a cursor."""

    def cursor(self, asked: Ask, items: Sequence[RecommendedItem], version: int) -> str | None:
        """Return where the next page begins; None where the list has ended.

        Args:
            asked: The question as it came.
            items: What this page shows.
            version: That the page reflects.
        """
        n_shown = len(self.shown) + len(items)
        if len(items) < asked.k or n_shown > MOST_SHOWN:
            return None
        shown = (*self.shown, *(item.item_id for item in items))
        return _written(_Kept(int(time.time()) + LIVES_S, version, self.mark or mark_of(asked), shown))


def opened(question: Ask) -> Page:
    """Return a question's page: its first one, or the one that its cursor leads to.

    Raises:
        CursorError: The cursor is altered, too old, or of another question.
    """
    if question.cursor is None:
        return Page(question)
    kept, mark = _read(question.cursor), mark_of(question)
    if kept.question != mark:
        raise CursorError(
            "The cursor belongs to another question.",
            hint="Ask the next page with all fields of the first; k, explain, language and budget_ms may differ.",
        )
    wanted = msgspec.structs.replace(
        question,
        exclude=(*question.exclude, *kept.shown),
        min_version=max(kept.version, question.min_version or 0),
        cursor=None,
    )
    return Page(wanted, kept.shown, mark)


def mark_of(question: Ask) -> bytes:
    """Return what tells a question from another one, whatever the page."""
    return blake2b(_as_json(msgspec.structs.replace(question, **_SAME)), digest_size=_CHECK).digest()


def _written(kept: _Kept) -> str:
    body = _encode(kept)
    packed = b"z" + zlib.compress(body, 1) if len(body) > 400 else b"p" + body
    return base64.urlsafe_b64encode(_check(packed) + packed).rstrip(b"=").decode("ascii")


def _read(cursor: str) -> _Kept:
    try:
        if len(cursor) > _MOST_LETTERS:
            raise ValueError("too long")
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        packed = raw[_CHECK:]
        if raw[:_CHECK] != _check(packed):
            raise ValueError("altered")
        kept = _decode(_unpacked(packed))
    except (ValueError, zlib.error, msgspec.DecodeError) as error:
        raise CursorError("The cursor is none that an answer gave.", hint=_HINT) from error
    if kept.until_s < time.time():
        raise CursorError(f"The cursor is older than {LIVES_S // 60} minutes.", hint=_HINT)
    return kept


def _unpacked(packed: bytes) -> bytes:
    if packed[:1] != b"z":
        return packed[1:]
    reader = zlib.decompressobj()
    body = reader.decompress(packed[1:], _MOST_BYTES)
    if reader.unconsumed_tail:
        raise ValueError("too long")
    return body


def _check(packed: bytes) -> bytes:
    return blake2b(packed, digest_size=_CHECK, person=b"inkling.cursor").digest()

"""When a call is sent again, and after how long: only where that can do no harm."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from inkling.engine._remote_calls import Call
from inkling.engine._remote_errors import error_of, unreadable

if TYPE_CHECKING:
    import httpx2

T = TypeVar("T")
_SHED = frozenset({"overloaded", "not_ready"})
_PASSING = frozenset({502, 503, 504, 429})


@dataclass(frozen=True, slots=True)
class Patience:
    """How often and how long a call is tried.

    Attributes:
        retries: How often a call is sent again.
        timeout_s: Seconds for one try.
        pause_s: Pause before the second try; each further one is twice as long, up to ``longest_s``.
        longest_s: The longest pause, also where a server asks for a longer one.
        silence_s: How long a stream may be silent; a server beats several times in that time.
    """

    retries: int = 3
    timeout_s: float = 10.0
    pause_s: float = 0.1
    longest_s: float = 2.0
    silence_s: float = 60.0

    def after_break(self, call: Call[Any], tried: int, *, sent: bool) -> float | None:
        """Return the pause after a connection that failed; None where the call must not be sent again.

        Args:
            call: What was tried.
            tried: How often, this time included.
            sent: Whether it may have reached the server.
        """
        if tried > self.retries or (sent and not call.repeatable):
            return None
        return self._pause(tried)

    def judged(self, call: Call[Any], tried: int, answer: httpx2.Response, url: str) -> float:
        """Return the pause after an answer that is not a good one.

        Args:
            call: What was tried.
            tried: How often, this time included.
            answer: What came back.
            url: Of the server, for messages.

        Raises:
            InklingError: The answer stands.
        """
        wrong = error_of(answer.status_code, answer.content, url=url)
        harmless = call.repeatable or wrong.code in _SHED  # what was shed was not begun
        if answer.status_code not in _PASSING or tried > self.retries or not harmless:
            raise wrong
        asked = answer.headers.get("retry-after", "")
        return min(max(self._pause(tried), float(asked) if asked.isdigit() else 0.0), self.longest_s)

    def after_stream(self, failed: int) -> float | None:
        """Return the pause after a stream that broke off so many times in a row; None where it is given up."""
        return self._pause(failed) if failed <= self.retries else None

    def _pause(self, tried: int) -> float:
        """Return a pause that differs from caller to caller: they must not all come back at once."""
        whole = min(self.pause_s * 2.0 ** (tried - 1), self.longest_s)
        return whole * random.uniform(0.5, 1.0)


def headers_of(call: Call[Any]) -> dict[str, str]:
    """Return what a call says of its body."""
    return {"Content-Type": "application/json"} if call.body is not None else {}


def was_sent(error: Exception) -> bool:
    """Tell whether a call may have reached the server before its connection failed."""
    import httpx2

    return not isinstance(error, (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout))


def read(call: Call[T], raw: bytes, url: str) -> T:
    """Return what a good answer says.

    Raises:
        InklingError: It does not have the form of one.
    """
    try:
        return call.read(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, KeyError) as error:
        raise unreadable(url, error) from error

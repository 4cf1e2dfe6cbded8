"""Everything that comes in passes here before it is stored."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from inkling.core.config import Config
from inkling.core.tables import Events
from inkling.privacy.pseudonym import check_secret, pseudonym, pseudonyms
from inkling.privacy.redact import redact
from inkling.privacy.retention import oldest_kept

if TYPE_CHECKING:
    import polars as pl

ID_FIELDS = ("user_id", "session_id", "friend_id")
TEXT_FIELDS = ("text", "about")


class Privacy(Config, frozen=True, kw_only=True):
    """What happens to personal data at the door. The secret of pseudonyms is no setting: settings are printed."""

    pseudonyms: bool = False
    """Ids of people and sessions are replaced by a keyed hash."""
    redact: bool = True
    """E-mail addresses, telephone and card numbers in texts are masked."""
    retention_days: float = 0.0
    """Events older than this are not taken in; 0 takes all."""
    texts: tuple[str, ...] = TEXT_FIELDS
    """Fields that hold free text."""


class PrivacyDoor:
    """Applies ``Privacy`` to rows as they come over the wire and to tables as they are read."""

    def __init__(
        self, privacy: Privacy | None = None, *, secret: bytes = b"", clock: Callable[[], float] = time.time
    ) -> None:
        """Stand at the door with a secret (needed for pseudonyms) and a clock (seconds since the epoch).

        Raises:
            ConfigError: Pseudonyms are on and the secret is shorter than 16 bytes.
        """
        self.privacy = privacy or Privacy()
        self._secret = check_secret(secret) if self.privacy.pseudonyms else b""
        self._clock = clock

    def user_id(self, user_id: str) -> str:
        """Return the id under which a person is known inside."""
        return pseudonym(user_id, self._secret) if self.privacy.pseudonyms else user_id

    def rows(self, rows: Iterable[Mapping[str, Any]], *, now_ms: int | None = None) -> list[dict[str, Any]]:
        """Return rows of events, people or links as they may be stored: ids replaced, texts masked.

        Args:
            rows: Rows as they came. One whose integer ``timestamp`` (epoch milliseconds) lies before the retention is
                left out.
            now_ms: The moment of retention; the clock where it is left out.
        """
        oldest = self._oldest(now_ms)
        return [self._row(row) for row in rows if not _older(row.get("timestamp"), oldest)]

    def asked(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Return what was asked as it may be stored: its text masked."""
        text = asked.get("text")
        return {**asked, "text": redact(text)} if self.privacy.redact and isinstance(text, str) else dict(asked)

    def events(self, events: Events, *, now_ms: int | None = None) -> Events:
        """Return a table of events as it may be stored; ``now_ms`` (default: the clock) is the moment of retention."""
        import polars as pl

        frame = events.frame
        if self.privacy.retention_days > 0:
            frame = frame.filter(pl.col("timestamp") >= self._oldest(now_ms))
        return Events(self.table(frame))

    def table(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Return any table with its ids replaced and its texts masked, as the settings say."""
        if self.privacy.pseudonyms:
            for name in ID_FIELDS:
                frame = _mapped(frame, name, lambda ids: pseudonyms(ids, self._secret))
        if self.privacy.redact:
            for name in self.privacy.texts:
                frame = _mapped(frame, name, lambda texts: [None if text is None else redact(text) for text in texts])
        return frame

    def _row(self, row: Mapping[str, Any]) -> dict[str, Any]:
        out = dict(row)
        if self.privacy.pseudonyms:
            out |= {name: pseudonym(str(row[name]), self._secret) for name in ID_FIELDS if row.get(name)}
        if self.privacy.redact:
            out |= {name: redact(row[name]) for name in self.privacy.texts if isinstance(row.get(name), str)}
        return out

    def _oldest(self, now_ms: int | None = None) -> int:
        return oldest_kept(int(self._clock() * 1000) if now_ms is None else now_ms, self.privacy.retention_days)


def _older(timestamp: Any, oldest: int) -> bool:
    return isinstance(timestamp, int) and timestamp < oldest


def _mapped(frame: pl.DataFrame, name: str, change: Callable[[list[str | None]], list[str | None]]) -> pl.DataFrame:
    """Replace a text column's distinct values, each computed once."""
    import polars as pl

    if name not in frame.columns:
        return frame
    values = frame[name].unique()
    table = pl.DataFrame({name: values, "__new": change(values.to_list())}, schema_overrides={"__new": pl.String})
    joined = frame.select(name).join(table, on=name, how="left", nulls_equal=True, maintain_order="left")
    return frame.with_columns(joined["__new"].alias(name))

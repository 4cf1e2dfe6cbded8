"""Tables of what is known: events, items, people, links. Columnar, immutable, by external id."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import polars as pl

    from inkling.core.vocabulary import Vocabulary

EVENT_COLUMNS = ("user_id", "item_id", "timestamp", "event", "value", "session_id", "event_id", "text", "split")
CONTEXT_PREFIX = "context."
TEXT_COLUMNS = ("title", "categories", "description")


@dataclass(frozen=True, slots=True)
class Events:
    """What happened, one row each, in the file's order until sorted.

    Columns of ``frame``: user_id, item_id (String, null = missing), timestamp (Int64: UTC epoch milliseconds where
    times are real, else the position), event (String), value (Float32, null = missing), and where the source
    has them session_id, event_id, text, split (String) and ``context.*``.
    """

    frame: pl.DataFrame

    def __len__(self) -> int:
        return self.frame.height

    @property
    def context_names(self) -> list[str]:
        """Return the names of the context columns, without their prefix."""
        return [name.removeprefix(CONTEXT_PREFIX) for name in self.frame.columns if name.startswith(CONTEXT_PREFIX)]


@dataclass(frozen=True, slots=True)
class Items:
    """The catalogue: ``item_id`` (unique) and attributes; categories are a list of strings, price is Float32."""

    frame: pl.DataFrame

    def __len__(self) -> int:
        return self.frame.height

    def aligned(self, vocabulary: Vocabulary) -> Items:
        """Return one row for each row of ``vocabulary``, in its order; nulls where the catalogue has no row."""
        return Items(_aligned(self.frame, "item_id", vocabulary))

    def texts(self) -> list[str]:
        """Return what a language model reads of each item: title, categories, description; "" where unknown."""
        columns = [self.frame[name].to_list() for name in TEXT_COLUMNS if name in self.frame.columns]
        return [item_text(parts) for parts in zip(*columns, strict=True)] if columns else [""] * len(self)


@dataclass(frozen=True, slots=True)
class People:
    """What is known of people besides their events: ``user_id`` (unique) and attributes; free text in ``about``."""

    frame: pl.DataFrame

    def __len__(self) -> int:
        return self.frame.height

    def aligned(self, vocabulary: Vocabulary) -> People:
        """Return one row for each row of ``vocabulary``, in its order; nulls where nothing is known."""
        return People(_aligned(self.frame, "user_id", vocabulary))


@dataclass(frozen=True, slots=True)
class Links:
    """Who is connected with whom: ``user_id``, ``friend_id`` (String), ``weight`` (Float32)."""

    frame: pl.DataFrame

    def __len__(self) -> int:
        return self.frame.height


def item_text(parts: Iterable[Any]) -> str:
    """Return title, categories and description as one text; lists are joined with commas, missing parts skipped."""
    words = (", ".join(map(str, part)) if isinstance(part, (list, tuple)) else str(part or "") for part in parts)
    return ". ".join(word for word in words if word)


def _aligned(frame: pl.DataFrame, key: str, vocabulary: Vocabulary) -> pl.DataFrame:
    import polars as pl

    wanted = pl.DataFrame({key: vocabulary.ids()}, schema={key: pl.String})
    return wanted.join(frame, on=key, how="left", maintain_order="left")

"""What is said about aspects, event by event, and added up: what an item is good at, what a person cares about."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self

import msgspec
import numpy as np

from inkling.core.arrays import F32, F64, I8, I16, I32, I64, Array, Bool
from inkling.core.dataset import Dataset
from inkling.language._aspects_said import Mention

_PRIOR = 3.0  # mentions of a usual item that each count begins with
_OWN_TERMS = 200
_SNIPPET = 120


@dataclass(frozen=True)
class Said:
    """M mentions in the texts of events, in order of time.

    Attributes:
        names: Aspects; ``aspects`` points here.
        event: Position of the event that said it.
        spans: (M, 2) first character, and the one behind the last.
    """

    names: tuple[str, ...]
    user_rows: I32  # (M,)
    item_rows: I32  # (M,)
    ts: I64  # (M,)
    aspects: I16  # (M,)
    sentiments: I8  # (M,)
    event: I64  # (M,)
    spans: I32  # (M, 2)

    def __len__(self) -> int:
        return len(self.aspects)

    def select(self, index: I64 | Bool) -> Self:
        """Return the mentions at positions ``index`` or under a mask."""
        columns = ("user_rows", "item_rows", "ts", "aspects", "sentiments", "event", "spans")
        return replace(self, **{name: getattr(self, name)[index] for name in columns})

    def until(self, ts: int) -> Self:
        """Return what was said up to and including ``ts``."""
        return self.select(self.ts <= ts)

    def snippet(self, at: int, texts: Array) -> str:
        """Return the words around a mention, out of the events' texts (N,) that it was read from."""
        text, (begin, end) = str(texts[self.event[at]]), self.spans[at].tolist()
        first = max(text.rfind(mark, 0, begin) for mark in ".!?。！？\n") + 1
        stops = [place for mark in ".!?。！？\n" if (place := text.find(mark, end)) >= 0]
        part = text[first : min(stops, default=len(text) - 1) + 1].strip()
        if len(part) <= _SNIPPET:
            return part
        left = max(begin - first - _SNIPPET // 2, 0)
        return f"…{part[left : left + _SNIPPET].strip()}…"


def read_aspects(data: Dataset, reader: Any, *, at_least: int = 5) -> Said:
    """Read what events of ``data`` say about aspects.

    Args:
        data: Events with texts; cut it to a moment with ``data.cut(ts)``.
        reader: Reads texts: ``LexiconReader``, ``AspectModel``, or another with ``read``.
        at_least: A term that belongs to no known aspect becomes one of its own from so many mentions on.
    """
    events = data.interactions
    rows = np.flatnonzero([bool(text) for text in events.texts])
    found: list[tuple[Mention, ...]] = reader.read([str(events.texts[row]) for row in rows])
    flat = [(int(row), mention) for row, own in zip(rows, found, strict=True) for mention in own]
    named = [_aspect(mention) for _, mention in flat]
    names = _names(flat, named, at_least)
    code = {name: i for i, name in enumerate(names)}
    kept = [(row, mention, code[name]) for (row, mention), name in zip(flat, named, strict=True) if name in code]
    event = np.array([row for row, _, _ in kept], dtype=np.int64)
    return Said(
        names=names,
        user_rows=events.user_rows[event],
        item_rows=events.item_rows[event],
        ts=events.ts[event],
        aspects=np.array([aspect for _, _, aspect in kept], dtype=np.int16),
        sentiments=np.array([mention.sentiment for _, mention, _ in kept], dtype=np.int8),
        event=event,
        spans=np.array([(m.begin, m.end) for _, m, _ in kept], dtype=np.int32).reshape(-1, 2),
    )


def _aspect(mention: Mention) -> str:
    """Return the aspect of a mention: the reader's, that of its words, or the words themselves."""
    from inkling.language._aspects_words import TERMS

    if mention.aspect:
        return mention.aspect
    words = mention.term.lower().split()
    known = [TERMS[word] for word in reversed(words) if word in TERMS]
    return known[0] if known else " ".join(words)


def _names(flat: Sequence[tuple[int, Mention]], named: Sequence[str], at_least: int) -> tuple[str, ...]:
    """Return known aspects, sorted, and then the most frequent terms of the shop's own."""
    from inkling.language._aspects_words import NAMES

    known = {name for (_, mention), name in zip(flat, named, strict=True) if mention.aspect or name in NAMES}
    own = Counter(name for name in named if name not in known)
    return (*sorted(known), *(name for name, n in own.most_common(_OWN_TERMS) if n >= at_least))


@dataclass(frozen=True, slots=True)
class Strength:
    """How people judge one aspect of an item.

    Attributes:
        aspect: Its name.
        n_good: Mentions that praise it.
        n_bad: Mentions that complain.
        share: Smoothed share of praise, 0 to 1.
        snippets: What people say, newest first.
    """

    aspect: str
    n_good: int
    n_bad: int
    share: float
    snippets: tuple[str, ...] = ()


@dataclass(frozen=True)
class AspectTable:
    """Mentions by item and aspect, A aspects in all."""

    names: tuple[str, ...]
    good: F32  # (n_items, A) mentions that praise
    bad: F32  # (n_items, A)
    said: F32  # (n_items, A) mentions of any sentiment

    @classmethod
    def of(cls, said: Said, n_items: int) -> Self:
        """Add up mentions; people count once for each item, aspect and sentiment."""
        keys = np.stack([said.user_rows, said.item_rows, said.aspects, said.sentiments]).astype(np.int64)
        _, first = np.unique(keys, axis=1, return_index=True)
        one = said.select(np.sort(first))
        shape = (n_items, len(said.names))

        def count(mask: Bool) -> F32:
            cells = one.item_rows[mask].astype(np.int64) * shape[1] + one.aspects[mask]
            return np.bincount(cells, minlength=shape[0] * shape[1]).reshape(shape).astype(np.float32)

        every = np.ones(len(one), dtype=np.bool_)
        return cls(said.names, count(one.sentiments > 0), count(one.sentiments < 0), count(every))

    @property
    def usual(self) -> F64:
        """Return (A,) the share of praise of each aspect over all items, a half where nobody judged."""
        good, bad = self.good.sum(axis=0), self.bad.sum(axis=0)
        return np.asarray((good + 1) / (good + bad + 2), dtype=np.float64)

    def shares(self) -> F32:
        """Return (n_items, A) the share of praise, drawn to the usual one by a few mentions."""
        return self._shares

    @cached_property
    def _shares(self) -> F32:
        judged = self.good + self.bad
        return np.asarray((self.good + _PRIOR * self.usual) / (judged + _PRIOR), dtype=np.float32)

    def strengths(self) -> F32:
        """Return (n_items, A) how much more than usual each aspect is praised, -1 to 1; 0 where nobody judged it."""
        judged = self.good + self.bad > 0  # rounding leaves a little of nothing, which must stay nothing
        return np.where(judged, self.shares() - self.usual, 0).astype(np.float32)

    def attention(self) -> F32:
        """Return (n_items, A) what is spoken of: shares of an item's mentions, less the usual ones, at least 0."""
        total = self.said.sum(axis=1, keepdims=True)
        usual = self.said.sum(axis=0) / max(float(self.said.sum()), 1.0)
        smooth = (self.said + _PRIOR * usual) / (total + _PRIOR)
        return np.where(self.said > 0, np.maximum(smooth - usual, 0), 0).astype(np.float32)

    def good_at(self, item_row: int, k: int = 3) -> list[Strength]:
        """Return aspects that people praise at least twice as often as they complain, the surest first."""
        return self._judged(item_row, k, sign=1)

    def bad_at(self, item_row: int, k: int = 3) -> list[Strength]:
        """Return aspects that people complain about at least as often as they praise them, the surest first."""
        return self._judged(item_row, k, sign=-1)

    def _judged(self, row: int, k: int, *, sign: int) -> list[Strength]:
        if not 0 <= row < len(self.good):
            return []
        good, bad = self.good[row], self.bad[row]
        sure = (good - 2 * bad) if sign > 0 else (bad - good + 0.5 * (bad > 0))
        shares = self.shares()[row] if len(self.names) else good
        order = np.lexsort((np.arange(len(sure)), -sign * shares, -sure)).tolist()
        told = [i for i in order if sure[i] > 0][:k]
        return [Strength(self.names[i], int(good[i]), int(bad[i]), round(float(shares[i]), 4)) for i in told]

    def with_snippets(self, found: list[Strength], item_row: int, said: Said, texts: Array) -> list[Strength]:
        """Return strengths with up to two snippets each, newest first.

        Args:
            found: Of :meth:`good_at` or :meth:`bad_at`.
            item_row: The item.
            said: The mentions that the table was made of.
            texts: (N,) the texts of the events that were read.
        """
        out = []
        for one in found:
            sign = 1 if one.n_good > one.n_bad else -1
            code = self.names.index(one.aspect)
            mask = (said.item_rows == item_row) & (said.aspects == code) & (said.sentiments == sign)
            shown = [said.snippet(int(at), texts) for at in np.flatnonzero(mask)[::-1][:2]]
            out.append(replace(one, snippets=tuple(dict.fromkeys(shown))))
        return out

    def state(self) -> Mapping[str, Array]:
        """Return the table as plain arrays."""
        names = np.frombuffer(msgspec.json.encode(self.names), dtype=np.uint8)
        return {"names": names, "good": self.good, "bad": self.bad, "said": self.said}

    @classmethod
    def load(cls, state: Mapping[str, Array]) -> Self:
        """Return what :meth:`state` gave away."""
        names = msgspec.json.decode(np.asarray(state["names"], dtype=np.uint8).tobytes(), type=tuple[str, ...])
        good, bad, said = (np.asarray(state[name], dtype=np.float32) for name in ("good", "bad", "said"))
        return cls(names, good, bad, said)

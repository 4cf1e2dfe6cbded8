"""A question that follows up an answer: rules and vectors change the list, and the answer says what was understood."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from inkling.core.arrays import F32, I32
from inkling.core.errors import RequestError
from inkling.core.query import Query
from inkling.core.recommendation import RecommendedItem
from inkling.engine import narrowing
from inkling.engine.answers import Chain, Given, Limit
from inkling.engine.base import Ask
from inkling.language import followups
from inkling.language.followups import Like, Price, Relative, Without

if TYPE_CHECKING:
    from inkling.engine.live import LiveViews
    from inkling.engine.pipeline import Pipeline

_MOST_LETTERS, _MOST_NAMES = 1000, 50
_MOST_IDS = 1000
BRANDS = ("brand", "manufacturer", "maker", "author", "artist", "publisher")
"""Attributes that say who made a thing, the first that a shown item has."""
_UNLIKE = 0.7
_FIELDS = {"cheaper": "price", "dearer": "price", "newer": "created_at", "older": "created_at"}
_BELOW = frozenset({"cheaper", "older", "less_popular"})


@dataclass(frozen=True)
class Talk:
    """A follow-up as it was understood.

    Attributes:
        question: What is asked now: who, how many and within which limits, as the talk has it.
        chain: What the whole talk asks for; it is kept with the answer.
        left_out: What could not be done, each with its reason.
    """

    question: Ask
    chain: Chain
    left_out: tuple[str, ...] = ()

    @classmethod
    def of(cls, question: Ask, views: LiveViews, *, now_ms: int) -> Talk:
        """Understand what a question wants changed about the answer that it names.

        Raises:
            NotFoundError: There is no such answer.
            RequestError: It was given to somebody else.
        """
        given = views.answers.get(question.after or "")
        said = followups.parse(question.text or "")
        reader = _Reader(given, views, now_ms, _begun(question, given))
        for intent in said.intents:
            reader.take(intent)
        chain = reader.chain
        if said.rest:
            joined = f"{chain.text}, {said.rest}" if chain.text else said.rest
            chain = msgspec.structs.replace(chain, text=joined[-_MOST_LETTERS:])
        return cls(_asked(question, given, chain), chain, tuple(reader.left_out))

    def words(self, views: LiveViews, language: str) -> tuple[str, ...]:
        """Return what was understood, in words."""
        return narrowing.words(self.chain, lambda item_id: _title(views, item_id), language)

    def applied(self, query: Query, views: LiveViews, pipeline: Pipeline) -> Query:
        """Return the question within the talk's limits, and with the talk's words and likings as its vectors."""
        n = query.n_items
        mask = narrowing.passing(self.chain.limits, views, n)
        vectors = narrowing.item_vectors(pipeline, n)
        named = {word: narrowing.named(word, views, n) for word in self.chain.without}
        for word, hit in named.items():
            mask &= ~(hit if hit.any() else narrowing.near(pipeline, vectors, word, n))
        for row in _rows(self.chain.unlike, views, n).tolist():
            mask &= ~narrowing.like(vectors, row, _UNLIKE, n)
        allowed = mask if query.allowed is None else query.allowed & mask
        query = replace(query, allowed=allowed)
        liked = _rows(self.chain.like, views, n)
        return self._towards(query, views, pipeline, liked, vectors) if len(liked) else query

    def _towards(self, query: Query, views: LiveViews, pipeline: Pipeline, liked: I32, vectors: F32) -> Query:
        known = liked[liked < len(vectors)]
        wanted = vectors[known].sum(axis=0) if len(known) else np.zeros(0, dtype=np.float32)
        if not wanted.any():
            return query
        encoder = next(iter(query.text_vectors), "") or getattr(pipeline, "encoder", "")
        said = query.text_vectors.get(encoder)
        whole = wanted / np.linalg.norm(wanted) + (0 if said is None else said[0])
        text = self.chain.text or views.title_of(int(known[0]))
        made: F32 = (whole / (float(np.linalg.norm(whole)) or 1.0)).astype(np.float32)[None]
        return replace(query, texts=(text,), text_vectors={**query.text_vectors, encoder: made})

    def told(self, lines: tuple[RecommendedItem, ...], views: LiveViews) -> Told:
        """Return the lines of the answer with what was understood in their reasons, and the same beside them."""
        understood = self.words(views, self.question.language)
        first = tuple(narrowing.told(line, understood, self.question.language) for line in lines)
        return Told(first, understood, self.left_out)


@dataclass(frozen=True)
class Told:
    """What an answer says of how it was understood."""

    lines: tuple[RecommendedItem, ...] = ()
    understood: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()


NOTHING_TOLD = Told()


def talk_of(questions: Sequence[Ask], views: LiveViews, *, now_ms: int) -> Talk | None:
    """Return the follow-up among questions; None where there is none.

    Raises:
        RequestError: Several questions are asked together, and one follows something up.
        NotFoundError: There is no such answer.
    """
    if all(question.after is None for question in questions):
        return None
    if len(questions) > 1:
        raise RequestError("'after' follows up one answer, and many people are asked for.", hint="Ask them apart.")
    return Talk.of(questions[0], views, now_ms=now_ms)


def _begun(question: Ask, given: Given) -> Chain:
    """Return what the talk asked for until now, with what the question itself says anew."""
    anew = {name: getattr(question, name) for name in ("filter", "history", "candidates")}
    return msgspec.structs.replace(given.chain, **{name: value for name, value in anew.items() if value is not None})


def _asked(question: Ask, given: Given, chain: Chain) -> Ask:
    who = {"user_id": question.user_id, "session_id": question.session_id}
    if any(who.values()) and given.who and not any(who[name] == value for name, value in given.who.items()):
        raise RequestError(
            "The answer that is followed up was given to somebody else.",
            hint="Leave user_id and session_id out, or ask without 'after'.",
        )
    if not any(who.values()):
        who = {**who, **given.who}
    exclude = tuple(dict.fromkeys((*question.exclude, *chain.exclude, *chain.like, *chain.unlike)))
    history = chain.history if chain.history is not None or any(who.values()) or chain.text else ()
    return msgspec.structs.replace(
        question,
        **who,
        text=chain.text or None,
        filter=chain.filter,
        history=history,
        candidates=chain.candidates,
        exclude=exclude,
    )


def first_chain(question: Ask) -> Chain:
    """Return what a question without a talk before it asks for, as far as a follow-up needs it."""
    return Chain(
        text=(question.text or "")[:_MOST_LETTERS],
        exclude=question.exclude[:_MOST_IDS],
        filter=question.filter,
        history=None if question.history is None else question.history[-_MOST_IDS:],
        candidates=question.candidates if len(question.candidates or ()) <= _MOST_IDS else None,
    )


def said(chain: Chain) -> dict[str, Any]:
    """Return a chain as plain data for the log; empty where nothing was asked.

    Long lists of ids are logged only in a talk: every plain question would otherwise write them once more.
    """
    if not (chain.text or chain.limits or chain.like or chain.unlike or chain.without):
        return {"filter": chain.filter} if chain.filter else {}
    plain: dict[str, Any] = msgspec.to_builtins(chain)
    return plain


class _Reader:
    """Takes in one intent after the other."""

    def __init__(self, given: Given, views: LiveViews, now_ms: int, chain: Chain) -> None:
        self.chain, self.left_out = chain, list[str]()
        self._ids, self._views, self._now_ms = given.item_ids, views, now_ms
        self._rows = views.item_ids.rows(given.item_ids)

    def take(self, intent: followups.Intent) -> None:
        if isinstance(intent, Relative):
            self._relative(intent)
        elif isinstance(intent, Price):
            self._price(intent)
        elif isinstance(intent, Like):
            self._like(intent)
        else:
            self._without(intent)

    def _set(self, **fields: Any) -> None:
        self.chain = msgspec.structs.replace(self.chain, **fields)

    def _limit(self, limit: Limit) -> None:
        """Take a limit in the place of an earlier one on the same side of the same field."""
        side = limit.op[:2]
        rest = [old for old in self.chain.limits if old.field != limit.field or old.op[:2] != side or side == "ne"]
        self._set(limits=tuple(dict.fromkeys((*rest, limit)))[-_MOST_NAMES:])

    def _price(self, price: Price) -> None:
        if "price" not in self._views.catalog.fields:
            self.left_out.append("price: no item has one")
            return
        more = "e" if price.inclusive else ""
        if price.low is not None:
            self._limit(Limit("price", f"gt{more}", price.low))
        if price.high is not None:
            self._limit(Limit("price", f"lt{more}", price.high))

    def _without(self, intent: Without) -> None:
        self._set(without=tuple(dict.fromkeys((*self.chain.without, intent.words[:100])))[-_MOST_NAMES:])

    def _like(self, intent: Like) -> None:
        item_id = self._at(intent.place)
        if item_id is None:
            return
        name, other = ("unlike", "like") if intent.away else ("like", "unlike")
        ids = tuple(dict.fromkeys((*getattr(self.chain, name), item_id)))[-_MOST_NAMES:]
        rest = tuple(one for one in getattr(self.chain, other) if one != item_id)
        self._set(**{name: ids, other: rest})

    def _at(self, place: int) -> str | None:
        at = place - 1 if place > 0 else place
        if not -len(self._ids) <= at < len(self._ids):
            self.left_out.append(f"place {place}: {len(self._ids)} items were shown")
            return None
        return self._ids[at]

    def _relative(self, intent: Relative) -> None:
        if intent.kind == "start_over":
            self.chain, self.left_out = Chain(), []
        elif intent.kind == "others":
            self._set(exclude=tuple(dict.fromkeys((*self.chain.exclude, *self._ids)))[-_MOST_IDS:])
        elif intent.kind == "other_brand":
            self._other_brand()
        else:
            self._compared(intent)

    def _other_brand(self) -> None:
        items = [self._views.catalog.get(row) or {} for row in self._rows.tolist()]
        name = next((name for name in BRANDS for item in items if item.get(name)), None)
        if name is None:
            self.left_out.append("other_brand: nothing shown names who made it")
            return
        shown = list(dict.fromkeys(str(item[name]) for item in items if isinstance(item.get(name), str)))
        every = [Limit(name, "ne", value) for value in shown]
        for limit in every if self._leaves_something(every) else every[:1]:
            self._limit(limit)

    def _compared(self, intent: Relative) -> None:
        name = _FIELDS.get(intent.kind, "popularity")
        rows = self._rows
        if intent.place:
            item_id = self._at(intent.place)
            if item_id is None:
                return
            rows = self._views.item_ids.rows([item_id])
        values = narrowing.values(name, self._views, rows[rows >= 0])
        values = values[np.isfinite(values)]
        if not len(values):
            self.left_out.append(f"{intent.kind}: nothing shown has a {name}")
            return
        below = intent.kind in _BELOW
        share = 0.25 if intent.strong else 0.5
        edge = float(np.quantile(values, share if below else 1 - share, method="lower" if below else "higher"))
        limit = Limit(name, "lt" if below else "gt", edge)
        if self._leaves_something([limit]):
            self._limit(limit)
        else:
            self.left_out.append(f"{intent.kind}: nothing is, beside {narrowing.number(limit)}")

    def _leaves_something(self, limits: list[Limit]) -> bool:
        views, n = self._views, len(self._views.item_ids)
        there = views.available(self._now_ms, n_items=n)
        return bool((there & narrowing.passing((*self.chain.limits, *limits), views, n)).any())


def _rows(item_ids: tuple[str, ...], views: LiveViews, n_items: int) -> I32:
    rows = views.item_ids.rows(item_ids)
    return rows[(rows >= 0) & (rows < n_items)]


def _title(views: LiveViews, item_id: str) -> str:
    row = views.item_ids.row_of(item_id)
    return views.title_of(row) if row >= 0 else item_id

"""From a question in external ids to a query in rows, and from candidates back to an answer."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from inkling.core.arrays import I32, I64
from inkling.core.candidates import Candidates
from inkling.core.errors import RequestError
from inkling.core.jagged import Jagged
from inkling.core.query import History, Query
from inkling.core.recommendation import Reason, RecommendedItem
from inkling.engine.base import Ask
from inkling.engine.reasons import LANGUAGES, reason_of

if TYPE_CHECKING:
    from inkling.engine.live import LiveViews
    from inkling.engine.pipeline import Pipeline

MAX_K = 1000


def check(question: Ask) -> None:
    """Refuse what cannot be answered.

    Raises:
        RequestError: k is out of range, nothing says who asks, the language is unknown, or a field of the wire is used
            that this version does not honour: better refused than silently passed over.
    """
    if not 1 <= question.k <= MAX_K:
        raise RequestError(f"k is {question.k}; it must be from 1 to {MAX_K}.", hint="Longer lists are not made.")
    if question.after is not None and not question.text:
        raise RequestError("'after' names an answer to follow up, and no text says how.", hint="Give both.")
    nobody = not question.user_id and not question.session_id and question.after is None
    if nobody and not question.text and question.history is None:
        raise RequestError(
            "Nothing says for whom: user_id, session_id, text and history are all missing.",
            hint="Give one of them; history may be an empty list.",
        )
    if question.budget_ms is not None and not question.budget_ms > 0:
        raise RequestError(f"budget_ms is {question.budget_ms:g}; it must be above 0.", hint="Or leave it out.")
    if question.language and question.language not in LANGUAGES:
        raise RequestError(f"language is '{question.language}'.", hint=f"Allowed: {', '.join(LANGUAGES)}.")


def query_of(questions: Sequence[Ask], views: LiveViews, pipeline: Pipeline, *, now_ms: int) -> Query:
    """Return questions that share a filter as one query in rows."""
    rows = np.array([views.state.row_of(ask.user_id, ask.session_id) for ask in questions], dtype=np.int32)
    texts = tuple([ask.text for ask in questions])
    said = any(texts)
    history = _histories(questions, rows, views, now_ms)
    candidates = _lists([ask.candidates for ask in questions], views)
    exclude = _lists([ask.exclude or None for ask in questions], views)
    n_items = len(views.item_ids)  # read last: a writer may add items meanwhile, and no row may lie beyond the width
    allowed = views.available(now_ms, n_items=n_items)
    if questions[0].filter:
        allowed = allowed & views.catalog.mask(questions[0].filter, n_items=n_items)
    return Query(
        history=history,
        now=np.full(len(questions), now_ms, dtype=np.int64),
        n_items=n_items,
        user_rows=rows,
        texts=texts if said else (),
        text_vectors=pipeline.encode([text or "" for text in texts]) if said else {},
        context=_contexts(questions, rows, views),
        allowed=allowed,
        candidates=candidates,
        exclude=exclude,
    )


def _histories(questions: Sequence[Ask], rows: I32, views: LiveViews, now_ms: int) -> History:
    n_without = [ask.history for ask in questions].count(None)
    if n_without == len(questions):
        return views.state.history(rows)
    if n_without:
        raise RequestError("Some questions bring a history and some do not.", hint="Ask them apart.")
    lists = []
    for ask in questions:
        known = views.item_ids.rows(ask.history or ())
        lists.append(known[known >= 0])
    items = Jagged.from_lists(lists)
    return History.of_items(items, ts=_just_before(items.offsets, now_ms))


def _just_before(offsets: I64, now_ms: int) -> I64:
    """Return times a minute apart that end now: a history without times was just now, in its order."""
    position = np.arange(offsets[-1]) - np.repeat(offsets[1:], np.diff(offsets))
    return (now_ms + position * 60_000).astype(np.int64)


def _contexts(questions: Sequence[Ask], rows: I32, views: LiveViews) -> dict[str, tuple[str | None, ...]]:
    """Return what the question says of its context, else the person's last known one."""
    names = set(views.scenario.context)
    for ask in questions:
        names.update(ask.context)
    known = [{**views.contexts.get(row, {}), **ask.context} for row, ask in zip(rows.tolist(), questions, strict=True)]
    found = {name: tuple([context.get(name) for context in known]) for name in sorted(names)}
    return {name: values for name, values in found.items() if values.count(None) < len(values)}


def _lists(ids: Sequence[Sequence[str] | None], views: LiveViews) -> Jagged | None:
    if ids.count(None) == len(ids):
        return None
    parts = []
    for one in ids:
        known = views.item_ids.rows(dict.fromkeys(one or ()))
        parts.append(known[known >= 0])
    return Jagged.from_lists(parts)


def lines_of(
    questions: Sequence[Ask], query: Query, answer: Candidates, views: LiveViews, pipeline: Pipeline
) -> list[tuple[RecommendedItem, ...]]:
    """Return each person's candidates as lines of an answer, with reasons where they were asked for."""
    out = []
    for person, ask in enumerate(questions):
        start, end = int(answer.offsets[person]), int(answer.offsets[person + 1])
        reasons = _reasons(ask, query, person, answer.item_rows[start:end], views, pipeline)
        ids, scores = views.item_ids.ids(answer.item_rows[start:end]), answer.scores[start:end].tolist()
        sources = [answer.source_names[code] for code in answer.sources[start:end].tolist()]
        why: Sequence[Reason | None] = reasons or [None] * len(ids)
        rounded = [round(score, 6) for score in scores]
        out.append(tuple(map(RecommendedItem, ids, rounded, sources, why)))
    return out


def _reasons(ask: Ask, query: Query, person: int, rows: I32, views: LiveViews, pipeline: Pipeline) -> list[Reason]:
    if not ask.explain or not len(rows):
        return []
    alone = query.take([person]) if len(query) > 1 else query
    found = pipeline.explain(alone, rows)
    if not ask.text and ask.after is None:  # the words are the person's own sentence
        found = [replace(one, kind="about") if one.kind == "query" else one for one in found]
    return [reason_of(one, views.title_of, views.item_ids.id_of, language=ask.language) for one in found]


def new_id() -> str:
    """Return an id for an answer."""
    return os.urandom(16).hex()

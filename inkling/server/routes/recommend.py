"""Recommendations: the full question, and the short one by a person's id."""

from __future__ import annotations

import time

import msgspec

from inkling.core.errors import OverloadError
from inkling.core.recommendation import Recommendation
from inkling.engine.base import Ask
from inkling.engine.speaking import accepted, known
from inkling.server.endpoint import Call, Endpoint
from inkling.server.schemas import ListQuery


def _reads_text(call: Call) -> bool:
    """A sentence takes the encoder some milliseconds; everything else is answered from what was prepared."""
    return call.body.text is not None


def _answer(call: Call, question: Ask) -> Recommendation:
    question = spoken(call, question)
    metrics = call.around.metrics
    try:
        waited_ms = 1000 * (time.perf_counter() - call.arrived)
        answer = call.around.load.answer(call.engine, question, waited_ms=waited_ms)
    except OverloadError:
        metrics.shed.add("answer")
        raise
    metrics.record_stages(answer.timings_ms)
    if answer.left_out:
        metrics.shed.add("parts")
    return answer


def spoken(call: Call, question: Ask) -> Ask:
    """Return the question in the browser's language, where it says nothing of a language itself."""
    if not call.accept_language or question.language or known(question.context.get("language")):
        return question
    language = accepted(call.accept_language)
    return msgspec.structs.replace(question, language=language) if language else question


def _recommend(call: Call) -> Recommendation:
    return _answer(call, call.body)


def _recommend_for_user(call: Call) -> Recommendation:
    query: ListQuery = call.query
    return _answer(call, Ask(user_id=call.ids["id"], k=query.k, explain=query.explain, language=query.language))


ENDPOINTS = (
    Endpoint(
        "POST",
        "/v1/recommend",
        _recommend,
        "Recommend items to a person, a session, or for a sentence or a history.",
        body=Ask,
        answer=Recommendation,
        blocking=_reads_text,
    ),
    Endpoint(
        "GET",
        "/v1/users/{id}/recommendations",
        _recommend_for_user,
        "Recommend items to a person.",
        query=ListQuery,
        answer=Recommendation,
    ),
)

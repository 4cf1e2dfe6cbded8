"""Scores: the probability of the target event, or the rating, as the scenario says."""

from __future__ import annotations

from inkling.server.endpoint import Call, Endpoint
from inkling.server.schemas import ScoreIn, ScoreOut


def _score(call: Call) -> ScoreOut:
    return ScoreOut([float(score) for score in call.engine.score(call.body.user_id, call.body.items)])


ENDPOINTS = (Endpoint("POST", "/v1/score", _score, "Score given items for a person.", body=ScoreIn, answer=ScoreOut),)

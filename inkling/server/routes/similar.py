"""Items like an item."""

from __future__ import annotations

from inkling.core.recommendation import Recommendation
from inkling.server.endpoint import Call, Endpoint
from inkling.server.schemas import SimilarQuery


def _similar(call: Call) -> Recommendation:
    return call.engine.similar(call.ids["id"], k=call.query.k)


ENDPOINTS = (
    Endpoint(
        "GET",
        "/v1/items/{id}/similar",
        _similar,
        "Items like this item.",
        query=SimilarQuery,
        answer=Recommendation,
    ),
)

"""The names of an answer's fields on the wire."""

from __future__ import annotations

import msgspec

from inkling.core.recommendation import Reason, Recommendation, RecommendedItem


def test_an_answer_on_the_wire():
    reason = Reason("repeat", "You had this before", item_ids=("mug",))
    items = (RecommendedItem("mug", 0.5, "repeat", reason), RecommendedItem("cup", 0.25, "popular"))
    answer = Recommendation("r1", items, 7, "b1", "", {"rank": 0.5})
    assert answer.item_ids == ["mug", "cup"]
    assert msgspec.json.decode(msgspec.json.encode(answer)) == {
        "recommendation_id": "r1",
        "items": [
            {
                "item_id": "mug",
                "score": 0.5,
                "source": "repeat",
                "reason": {"kind": "repeat", "text": "You had this before", "item_ids": ["mug"]},
            },
            {"item_id": "cup", "score": 0.25, "source": "popular"},
        ],
        "version": 7,
        "bundle": "b1",
        "arm": "",
        "timings_ms": {"rank": 0.5},
        "left_out": [],
        "understood": [],
        "cursor": None,
    }
    assert msgspec.json.decode(msgspec.json.encode(answer), type=Recommendation) == answer

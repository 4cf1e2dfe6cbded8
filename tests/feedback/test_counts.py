"""Counts by arm and bundle, and how the latest answers fare."""

from __future__ import annotations

from inkling.feedback.counts import Counts
from inkling.feedback.join import Joiner
from inkling.stores.base import Changes

MINUTE = 60_000


def shown(n, user="ann", ts=0, items=("mug", "pen"), **more):
    return Changes(
        "impressions",
        (
            {
                "recommendation_id": f"r{n}",
                "user_id": user,
                "timestamp": ts,
                "item_ids": list(items),
                "arm": "e:a",
                "bundle": "b",
                **more,
            },
        ),
    )


def took(item="mug", ts=MINUTE, event="purchase", **more):
    return Changes("events", ({"user_id": "ann", "item_id": item, "timestamp": ts, "event": event, **more},))


def test_counts_by_arm_and_bundle():
    joiner, counts = Joiner({"purchase"}), Counts()
    blocks = [
        shown(1),
        shown(2, arm="e:b"),
        shown(3, arm="e:b", overridden=True),
        took(recommendation_id="r1", event="view"),
        took(recommendation_id="r1"),
        took(recommendation_id="r3"),
    ]
    for block in blocks:
        for one in joiner.take(block):
            counts.add(one)
    rows = {row["arm"]: row for row in counts.rows()}
    assert rows["e:a"] == {
        "arm": "e:a",
        "bundle": "b",
        "answers": 1,
        "items": 2,
        "clicked": 1,
        "converted": 1,
        "outcomes": 2,
        "click_rate": 1.0,
        "conversion": 1.0,
    }
    assert (rows["e:b"]["answers"], rows["e:b"]["clicked"]) == (1, 0)
    assert (counts.by_id, counts.by_item) == (2, 0)
    assert counts.of_bundle("b") == (2, 0.5)
    assert counts.of_bundle("other") == (0, 0.0)

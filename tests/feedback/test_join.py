"""Each outcome finds its answer, once: late, twice, out of order."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inkling.feedback.join import Joined, Joiner
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


def joined(*blocks, **options):
    joiner = Joiner({"purchase"}, **options)
    return [
        (one.shown.id, one.item_id, one.by) for block in blocks for one in joiner.take(block) if isinstance(one, Joined)
    ]


def test_an_outcome_that_names_its_answer_belongs_to_it_however_late():
    late = took(ts=30 * 86_400_000, recommendation_id="r1")
    assert joined(shown(1), shown(2, ts=1000), late) == [("r1", "mug", "id")]
    assert joined(shown(1), took("hat", recommendation_id="r1")) == [("r1", "hat", "id")]


def test_else_it_belongs_to_the_newest_answer_in_the_window_that_showed_the_item():
    answers = [shown(1), shown(2, ts=1000), shown(3, ts=2000, items=("hat",)), shown(4, user="bob", ts=3000)]
    assert joined(*answers, took()) == [("r2", "mug", "item")]
    assert joined(*answers, took("scarf")) == []
    assert joined(shown(1), took(ts=86_400_001)) == []
    assert joined(shown(1, ts=5), took(ts=4)) == []
    assert joined(shown(1), took(ts=MINUTE), window_ms=MINUTE - 1) == []


def test_an_outcome_may_come_before_its_answer():
    assert joined(took(recommendation_id="r1"), shown(1)) == [("r1", "mug", "id")]
    assert joined(took(), shown(2, ts=2 * MINUTE), shown(1)) == [("r1", "mug", "item")]


def test_the_same_event_counts_once_and_so_does_the_same_answer():
    again = took(event_id="e1")
    assert joined(shown(1), again, again, shown(1)) == [("r1", "mug", "item")]


def test_a_session_that_became_a_persons_keeps_its_answers():
    answer = Changes(
        "impressions", ({"recommendation_id": "r1", "session_id": "s", "timestamp": 0, "item_ids": ["mug"]},)
    )
    merge = Changes("merge", ({"user_id": "ann", "session_id": "s"},))
    assert joined(answer, merge, took()) == [("r1", "mug", "item")]
    assert joined(merge, answer, took()) == [("r1", "mug", "item")]


def test_an_erased_person_is_forgotten():
    erase = Changes("erase", ({"user_id": "ann"},))
    assert joined(shown(1), erase, took(), took(recommendation_id="r1")) == []
    assert joined(took(recommendation_id="r1"), erase, shown(1)) == []
    assert joined(took(), erase, shown(1)) == []


@pytest.mark.parametrize("event", ["impression", "opt_out", "query"])
def test_what_is_no_outcome(event):
    assert joined(shown(1), took(event=event)) == []


def test_places_ages_and_firsts():
    joiner = Joiner({"purchase"})
    blocks = [shown(1), took("pen", event="view"), took("mug", ts=2 * MINUTE), took("mug", ts=3 * MINUTE)]
    found = [one for block in blocks for one in joiner.take(block) if isinstance(one, Joined)]
    assert [(one.position, one.age_ms, one.first, one.converts) for one in found] == [
        (1, MINUTE, True, False),
        (0, 2 * MINUTE, False, True),
        (0, 3 * MINUTE, False, False),
    ]


def test_memory_is_bounded():
    joiner = Joiner({"purchase"}, most=10)
    for n in range(50):
        assert len([*joiner.take(shown(n, user=f"u{n}"))]) == 1
        assert not [*joiner.take(took(user_id=f"v{n}", recommendation_id=f"x{n}", event_id=f"e{n}"))]
        assert not [*joiner.take(took(user_id=f"v{n}"))]
    assert {len(joiner._shown), len(joiner._recent), len(joiner._waiting), len(joiner._loose)} == {10}
    assert len(joiner._done) == 40


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), n=st.integers(1, 30))
def test_outcomes_that_name_their_answer_are_joined_once_in_any_order(seed, n):
    draw = random.Random(seed)
    blocks = [shown(k, user=f"u{k % 3}") for k in range(n)]
    wanted = set()
    for k in range(n):
        if draw.random() < 0.6:
            outcome = took(user_id=f"u{k % 3}", recommendation_id=f"r{k}", event_id=f"e{k}")
            blocks += [outcome] * draw.randint(1, 3)
            wanted.add((f"r{k}", "mug", "id"))
    draw.shuffle(blocks)
    found = joined(*blocks)
    assert set(found) == wanted
    assert len(found) == len(wanted)

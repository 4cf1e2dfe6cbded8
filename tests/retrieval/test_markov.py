import numpy as np
import pytest

from inkling.core.jagged import Jagged
from inkling.core.query import History, Query
from inkling.core.run import Run
from inkling.retrieval import build
from inkling.testing import worlds
from inkling.testing.retrieval import RetrieverContract
from inkling.testing.worlds import Happening

PLAIN = {"last": 1, "backwards": 0, "popularity": 0, "spread": 0}


class TestMarkovContract(RetrieverContract):
    name = "markov"


class TestMarkovEventsContract(RetrieverContract):
    name = "markov"
    settings = {"unit": "event", "basket": 0.5, "neighbours": 5, "shrink": 1.0, "fit_half_life_days": 20}


@pytest.mark.parametrize("unit", ["session", "event"])
def test_the_next_of_the_chain_comes_first(unit):
    world = worlds.chain()
    model = build("markov", {"unit": unit, "backwards": 0, "last": 1}).fit(world.data, Run())
    assert model.retrieve(world.query, 1).item_rows.tolist() == world.first.tolist()


def transitions(happenings, **settings):
    """Return the strengths from item 0 to the items 0 to 3."""
    data = worlds.dataset(happenings, shape=(9, 4))
    model = build("markov", {**PLAIN, **settings}).fit(data, Run())
    nobody = Query(History.of_items(Jagged.from_lists([[0]])), np.zeros(1, np.int64), 4, np.full(1, -1, np.int32))
    return model.scores(nobody)[0].round(4).tolist()


WALK = [Happening(0, item, item, session=item) for item in (0, 1, 2)]
BASKETS = [Happening(0, 0, 0, session=0), Happening(0, 1, 0, session=0), Happening(0, 2, 1, session=1)]


def test_steps_ahead_count_less_and_less():
    assert transitions(WALK) == [0, 1, 0, 0]
    assert transitions(WALK, last=2, decay=0.5) == [0, 1, 0.5, 0]


def test_backwards():
    back = [Happening(0, 1, 0, session=0), Happening(0, 0, 1, session=1)]
    assert transitions(back) == [0, 0, 0, 0]
    assert transitions(back, backwards=0.5) == [0, 0.5, 0, 0]


def test_within_a_basket():
    assert transitions(BASKETS) == [0, 0, 1, 0]
    assert transitions(BASKETS, basket=0.5, own=0) == [0, 0.5, 1, 0]


def test_single_events_follow_each_other_inside_a_session():
    assert transitions(BASKETS, unit="event") == [0, 1, 0, 0]


def test_a_step_votes_once_or_each_item_does():
    assert transitions(BASKETS, spread=1)[2] == 0.5
    assert transitions(BASKETS, spread=0)[2] == 1


def test_popular_followers_are_held_down():
    happenings = [*WALK, *[Happening(user, 1, 9) for user in range(1, 4)]]
    assert transitions(happenings)[1] == 1
    assert transitions(happenings, popularity=0.5)[1] == 0.5


def test_what_was_seen_rarely_counts_less():
    assert transitions(WALK, shrink=3)[1] == 0.25


def test_an_item_may_follow_itself_or_not():
    again = [Happening(0, 0, 0, session=0), Happening(0, 0, 1, session=1)]
    assert transitions(again)[0] == 1
    assert transitions(again, own=0)[0] == 0


def test_only_the_strongest_followers_are_kept():
    happenings = [*WALK, Happening(1, 0, 0, 10), Happening(1, 1, 1, 11), Happening(2, 0, 0, 20), Happening(2, 3, 1, 21)]
    assert transitions(happenings) == [0, 2, 0, 1]
    assert transitions(happenings, neighbours=1) == [0, 2, 0, 0]


def test_old_transitions_fade():
    happenings = [*WALK, Happening(1, 0, 11, 10), Happening(1, 3, 12, 11), Happening(8, 2, 13, 99)]
    old, new = transitions(happenings, fit_half_life_days=1)[1], transitions(happenings, fit_half_life_days=1)[3]
    assert old < new / 100


def test_people_without_a_name_chain_inside_their_session_only():
    data = worlds.dataset([Happening(-1, 0, 0, 5), Happening(-1, 1, 1, 5), Happening(-1, 2, 2, 6)], shape=(1, 3))
    model = build("markov", {**PLAIN, "unit": "event"}).fit(data, Run())
    assert model.similar(np.array([0, 1], dtype=np.int32), 3).item_rows.tolist() == [1]


def test_the_last_steps_vote_the_latest_most():
    world = worlds.chain()
    model = build("markov", {"last": 3, "decay": 0.5, "backwards": 0}).fit(world.data, Run())
    both, old, new = (model.scores(asked(rows))[0] for rows in ([0, 5], [0], [5]))
    assert np.allclose(both, new + 0.5 * old, rtol=1e-5)
    assert np.allclose(model.scores(asked([7, 3, 0, 5]))[0], both + 0.25 * model.scores(asked([3]))[0], rtol=1e-5)
    found = model.why(asked([0, 5]), 6)
    assert [(because.kind, because.item_row) for because in found] == [("follows", 5)]


def asked(rows):
    return Query(History.of_items(Jagged.from_lists([rows])), np.zeros(1, np.int64), 12, np.full(1, -1, np.int32))


def test_steps_ahead_may_reach_farther_than_votes():
    assert transitions(WALK, last=1, ahead=2, ahead_decay=0.5) == [0, 1, 0.5, 0]


def test_what_came_long_after_counts_less():
    late = [Happening(0, 0, 0, 0), Happening(0, 1, 2, 1)]
    assert transitions(late, gap_days=2)[1] == 0.5
    assert transitions(late)[1] == 1


def test_votes_from_long_before_the_latest_step_fade():
    world = worlds.chain()
    model = build("markov", {"last": 2, "decay": 1.0, "gap_days": 1.0}).fit(world.data, Run())
    taste = model.taste(world.query, 0)
    assert sorted(taste.weights.tolist()) == [0.5, 1.0]


def test_what_a_person_had_at_all_is_a_back_off():
    far = [Happening(0, 0, 0, 0), Happening(0, 1, 1, 1), Happening(0, 2, 2, 2), Happening(0, 3, 3, 3)]
    assert transitions(far)[3] == 0
    assert transitions(far, together=0.4, spread=1)[3] == pytest.approx(0.1)


def test_popularity_is_a_back_off():
    happenings = [*WALK, *[Happening(user, 3, 9) for user in range(1, 5)]]
    assert transitions(happenings, back_off=0.5) == [0.125, 1.125, 0.125, 0.5]
    model = build("markov", {**PLAIN, "back_off": 0.5}).fit(worlds.dataset(happenings, shape=(9, 4)), Run())
    assert model.lists() is None
    query = Query(History.of_items(Jagged.from_lists([[0], []])), np.zeros(2, np.int64), 4, np.full(2, -1, np.int32))
    assert model.retrieve(query.take([1]), 1).item_rows.tolist() == [3]
    assert [(because.kind, because.weight) for because in model.why(query, 1)] == [("follows", 1.0), ("popular", 0.125)]


def test_what_says_something_of_everybody_says_less():
    happenings = [*WALK, *[Happening(user, 0, 9) for user in range(1, 4)]]
    assert transitions(happenings, origin=0.5)[1] == 0.5


def test_only_the_last_events_of_a_large_basket_are_learned_from():
    large = [Happening(0, item, 0, session=0) for item in range(3)] + [Happening(0, 3, 1, session=1)]
    assert transitions(large)[3] == 1
    assert transitions(large, max_step_items=2)[3] == 0


def test_one_person_cannot_say_everything():
    walks = [Happening(0, item % 3, item, session=item) for item in range(9)] + [
        Happening(1, 0, 1, session=20),
        Happening(1, 3, 2, session=21),
    ]
    free, held = transitions(walks), transitions(walks, max_influence=3)
    assert (free[1], free[3]) == (3, 1)
    assert (held[1], held[3]) == (1, 1)

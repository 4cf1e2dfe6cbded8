from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from inkling.core.jagged import Jagged
from inkling.core.query import History
from inkling.core.run import Run
from inkling.retrieval import build
from inkling.testing import worlds
from inkling.testing.retrieval import RetrieverContract
from inkling.testing.worlds import DAY_MS, START_MS, Happening


class TestLatelyContract(RetrieverContract):
    name = "lately"


class TestLatelySmallContract(RetrieverContract):
    name = "lately"
    settings = {"half_life_days": 0.0, "last": 5, "neighbours": 8, "shrink": 0.0}


def fitted(happenings, n_people=6, **settings):
    data = worlds.dataset(happenings, shape=(n_people, 5))
    return build("lately", {"backwards": 0.0, "shrink": 0.0, **settings}).fit(data, Run()), data


def asked(data, user, day):
    return data.query(np.array([user], dtype=np.int32), now=START_MS + round(day * DAY_MS))


def test_the_formula():
    """Two people took 1 after 0, one of them a half-life later; a third took 2."""
    happenings = [Happening(0, 0, 0), Happening(0, 1, 0), Happening(1, 0, 7), Happening(1, 1, 7)]
    happenings += [Happening(2, 0, 7), Happening(2, 2, 7), Happening(3, 0, 8)]
    model, data = fitted(sorted(happenings, key=lambda each: each.day))
    assert model.scores(asked(data, 3, 7))[0, :3] == pytest.approx([0, 1.5 / 2.5, 1 / 2.5])
    model, data = fitted(sorted(happenings, key=lambda each: each.day), shrink=1.0)
    assert model.scores(asked(data, 3, 7))[0, 1] == pytest.approx(1.5 / 3.5)
    assert model.scores(asked(data, 3, 14))[0, 1] == pytest.approx(0.75 / 2.25)  # old evidence counts less


def test_it_is_the_slow_obvious_count():
    rng = np.random.default_rng(0)
    events = [(int(rng.integers(6)), int(rng.integers(5)), n) for n in range(200)]
    model, data = fitted([Happening(*each) for each in events], half_life_days=0.0, decay=0.5, last=2, backwards=0.5)
    counts = Counter()
    for place, (user, item, _) in enumerate(events):
        before = [other for who, other, _ in events[:place] if who == user][::-1][:2]
        for back, other in enumerate(before):
            if other != item:
                counts[other, item] += 0.5**back
                counts[item, other] += 0.5 * 0.5**back
    history = History.of_items(Jagged.from_lists([[3]]))
    query = asked(data, 0, 300)
    scores = model.scores(replace(query, history=history))[0]
    total = sum(n for (before, _), n in counts.items() if before == 3)
    assert scores == pytest.approx([counts[3, item] / total for item in range(5)])


def test_a_trend_is_followed_event_by_event():
    old = [Happening(user, item, day) for day in range(20) for user in range(4) for item in (0, 1)]
    model, data = fitted(old, half_life_days=2.0, last=1)
    query = asked(data, 0, 20)
    history = History.of_items(Jagged.from_lists([[0]]))
    query = replace(query, history=history)
    assert int(model.scores(query)[0].argmax()) == 1
    turned = [Happening(user, item, 30 + user) for user in range(4) for item in (0, 3)]
    model.update(worlds.dataset(turned, shape=(6, 5)).interactions)
    assert int(model.scores(query)[0].argmax()) == 3


def test_followers_are_bounded_and_weights_stay_finite():
    happenings = [Happening(0, n % 5, n) for n in range(60)]
    model, data = fitted(happenings, half_life_days=0.01, neighbours=1, last=4)
    assert max(map(len, model._after.values())) <= 2
    assert np.isfinite(model.scores(asked(data, 0, 10_000))).all()
    far = worlds.dataset([Happening(1, 0, 50_000), Happening(1, 1, 50_000)], shape=(6, 5)).interactions
    model.update(far)
    assert np.isfinite(model.scores(asked(data, 0, 60_000))).all()

from dataclasses import replace

import numpy as np
import pytest

import inkling
from inkling.core.config import to_dict
from inkling.core.jagged import Jagged
from inkling.core.run import Run
from inkling.core.scenario import Scenario
from inkling.engine import ratings

DAY = 86_400_000
RATED = Scenario(
    name="stars", positive={"rating": 1.0}, positive_value={"rating": 3.5}, score="rating", seen="drop", time="real"
)


def stars(n_users=60, seed=0):
    """Half of the people give good things 5 and bad things 2, the other half one less of each."""
    rng = np.random.default_rng(seed)
    rows = []
    for user in range(n_users):
        for step, item in enumerate(rng.permutation(12)[:8].tolist()):
            value = (5.0 if item % 2 else 2.0) - user % 2
            ts = 1_600_000_000_000 + step * DAY + user * 1000
            rows.append(
                {"user_id": f"u{user}", "item_id": f"i{item}", "event": "rating", "value": value, "timestamp": ts}
            )
    return sorted(rows, key=lambda row: row["timestamp"])


@pytest.fixture(scope="module")
def engine(shop):
    made = inkling.open("memory://", scenario=RATED)
    made.put_items([{"item_id": f"i{item}", "title": f"thing {item}"} for item in range(12)])
    made.observe(stars())
    with made.fit(settings={**shop.QUICK, "order": "fused"}) as fitted:
        yield fitted


def test_score_answers_the_rating_where_the_scenario_asks_for_it(engine):
    good, bad = engine.score("u0", ["i1", "i2"])
    assert (good, bad) == (pytest.approx(5, abs=0.3), pytest.approx(2, abs=0.3))
    strict = engine.score("u1", ["i1", "i2"])
    assert strict == [pytest.approx(4, abs=0.3), pytest.approx(1, abs=0.3)]


def test_a_person_who_was_never_seen_gets_the_items_mean(engine):
    good, bad = engine.score("nobody", ["i1", "i2"])
    assert good == pytest.approx(4.5, abs=0.3)
    assert bad == pytest.approx(1.5, abs=0.3)


def test_a_rating_counts_in_the_next_score(shop):
    with inkling.open("memory://", scenario=RATED) as made:
        made.put_items([{"item_id": f"i{item}", "title": f"thing {item}"} for item in range(12)])
        made.observe(stars())
        made = made.fit(settings={**shop.QUICK, "order": "fused"})
        before = made.score("new", ["i1"])[0]
        made.observe([{"user_id": "new", "item_id": f"i{item}", "event": "rating", "value": 1.0} for item in (3, 5, 7)])
        assert made.score("new", ["i1"])[0] < before - 0.5


def test_the_report_tells_the_error_beside_that_of_the_mean(engine):
    errors = engine.pipeline.report().ratings
    assert errors["rmse"] < 0.3 < 1.2 < errors["rmse_of_mean"]
    assert errors["mae"] <= errors["rmse"]


def test_a_bundle_keeps_the_ratings(engine, tmp_path):
    before = engine.score("u3", ["i1", "i4"])
    engine.save(tmp_path / "stars")
    with inkling.open("memory://", bundle=tmp_path / "stars") as again:
        assert again.score("u3", ["i1", "i4"]) == before


def test_without_values_the_probability_is_answered_and_the_report_says_why(shop):
    with inkling.open("memory://", scenario=replace_score(shop.SCENARIO)) as made:
        made.put_items(shop.ITEMS)
        made.observe(shop.events())
        fitted = made.fit(settings=shop.QUICK)
        assert 0 <= fitted.score("u0", ["cat-toy"])[0] <= 1
        assert any("rating: 0 values" in line for line in fitted.pipeline.report().left_out)


def replace_score(scenario):
    return Scenario(**{**{name: getattr(scenario, name) for name in to_dict(scenario)}, "score": "rating"})


@pytest.mark.parametrize("time", ["order", "none"])
def test_values_are_held_out_whatever_times_mean(engine, time):
    data = engine.bundle.base
    data = replace(data, scenario=Scenario(**{**_fields(data.scenario), "time": time}))
    found, why = ratings.fitted(data, Run())
    assert why == ""
    errors = found.errors()
    assert errors["rmse"] < 0.3 < 1.2 < errors["rmse_of_mean"]
    people = np.arange(5, dtype=np.int32)
    some = Jagged.from_lists([np.array([0, 1], dtype=np.int32)] * 5)
    values = ratings.predicted(found, data.query(people), some)
    assert values.shape == (10,)
    assert ((values >= 1) & (values <= 5)).all()


def _fields(scenario):
    return {name: getattr(scenario, name) for name in to_dict(scenario)}

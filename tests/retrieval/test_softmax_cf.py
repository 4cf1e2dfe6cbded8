import numpy as np
import pytest
from scipy.sparse import csr_array

from inkling.core.errors import ConfigError
from inkling.core.run import Run
from inkling.retrieval import build
from inkling.retrieval.softmax_cf import ratio_loss, softmax_loss
from inkling.testing import worlds
from inkling.testing.retrieval import RetrieverContract

SMALL = {"factors": 8, "epochs": 4}


class TestSoftmaxCfContract(RetrieverContract):
    name = "softmax_cf"
    settings = SMALL


class TestRatioContract(RetrieverContract):
    name = "softmax_cf"
    settings = {**SMALL, "form": "ratio", "signal": "sum", "repeats": "event", "half_life_days": 30.0}


def step(*, positive=False, seed=0):
    rng = np.random.default_rng(seed)
    people, items = rng.normal(size=(5, 3)), rng.normal(size=(6, 3))
    if positive:
        people, items = np.abs(people), np.abs(items)
    return people, items, csr_array(np.where(rng.random((5, 6)) < 0.4, rng.integers(1, 4, (5, 6)), 0).astype(float))


def obvious_softmax(people, items, targets, temperature):
    total = 0.0
    for person, item in zip(*targets.nonzero(), strict=True):
        scores = items @ people[person]
        total -= targets[person, item] * (
            scores[item] / temperature - np.log(np.sum([np.exp(score / temperature) for score in scores]))
        )
    return total / targets.sum()


def obvious_ratio(people, items, targets, eps):
    """The normaliser as it is written: M inner products for each person."""
    total = 0.0
    for person, item in zip(*targets.nonzero(), strict=True):
        whole = sum(people[person] @ other + eps for other in items)
        total -= targets[person, item] * np.log((people[person] @ items[item] + eps) / whole)
    return total / targets.sum()


FORMS = [(softmax_loss, obvious_softmax, 0.5, False), (ratio_loss, obvious_ratio, 0.01, True)]


@pytest.mark.parametrize(("loss", "obvious", "setting", "positive"), FORMS)
def test_equals_the_formula(loss, obvious, setting, positive):
    people, items, targets = step(positive=positive)
    assert loss(people, items, targets, setting)[0] == pytest.approx(obvious(people, items, targets, setting))


@pytest.mark.parametrize(("loss", "obvious", "setting", "positive"), FORMS)
def test_slopes_equal_finite_differences(loss, obvious, setting, positive):
    people, items, targets = step(positive=positive, seed=4)
    _, by_people, by_items = loss(people, items, targets, setting)
    for parameter, slope in ((people, by_people), (items, by_items)):
        for place in np.ndindex(parameter.shape):
            before, h = parameter[place], 1e-6
            parameter[place] = before + h
            above = obvious(people, items, targets, setting)
            parameter[place] = before - h
            below = obvious(people, items, targets, setting)
            parameter[place] = before
            assert slope[place] == pytest.approx((above - below) / (2 * h), abs=1e-6)


def test_large_scores_do_not_overflow():
    people, items, targets = step()
    loss, by_people, by_items = softmax_loss(people.astype(np.float32) * 1e3, items.astype(np.float32), targets, 0.1)
    assert np.isfinite(loss)
    assert np.isfinite(by_people).all()
    assert np.isfinite(by_items).all()


@pytest.mark.parametrize("form", ["softmax", "ratio"])
def test_the_withheld_diagonal_comes_first(form):
    world = worlds.checkerboard()
    settings = {"factors": 4, "epochs": 60, "learning_rate": 0.05, "form": form}
    model = build("softmax_cf", settings).fit(world.data, Run())
    found = model.retrieve(world.query, 1).item_rows
    assert (found % 2 == world.first % 2).all()


def test_someone_unknown_gets_what_is_popular():
    data = worlds.shop(n_events=2000)
    model = build("softmax_cf", {"factors": 8, "epochs": 40, "learning_rate": 0.03, "form": "softmax"}).fit(data, Run())
    query = data.query(np.array([-1], dtype=np.int32))
    counts = np.bincount(data.interactions.item_rows[data.interactions.weights > 0], minlength=30)
    top = np.argsort(-counts)[:8]
    assert len(set(model.retrieve(query, 5).item_rows.tolist()) & set(top.tolist())) >= 4
    assert [because.kind for because in model.why(query, int(top[0]))] == ["popular"]


@pytest.mark.parametrize("form", ["softmax", "ratio"])
def test_grounds_sum_up_to_the_score(form):
    data = worlds.shop()
    model = build("softmax_cf", {**SMALL, "form": form}).fit(data, Run())
    query = data.query(np.array([2], dtype=np.int32))
    best = int(model.retrieve(query, 1).item_rows[0])
    total = sum(because.weight for because in model.why(query, best))
    assert total == pytest.approx(float(model.scores(query)[0, best]), abs=1e-5)


def test_an_unknown_form_is_refused():
    with pytest.raises(ConfigError, match="form"):
        build("softmax_cf", {"form": "linear"})

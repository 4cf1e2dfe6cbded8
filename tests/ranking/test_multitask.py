from dataclasses import replace

import numpy as np
import pytest

from inkling.core.errors import DataError
from inkling.core.run import Run
from inkling.ranking import build
from inkling.testing.ranking import RankerContract, tasks

pytest.importorskip("torch", reason="networks are trained by torch")

SMALL = {"epochs": 5, "learning_rate": 0.01, "hidden": [16]}


class TestMultitaskContract(RankerContract):
    name = "multitask"
    settings = SMALL


class TestMultitaskSharedContract(RankerContract):
    name = "multitask"
    settings = {**SMALL, "towers": "shared", "click_value": 1.0}


class TestMultitaskMmoeContract(RankerContract):
    name = "multitask"
    settings = {**SMALL, "towers": "mmoe", "experts": 2, "item_dim": 0}


def shop(n_people=600, n_items=12, seed=0):
    """``lure`` makes people click, ``worth`` makes those who clicked buy."""
    rng = np.random.default_rng(seed)
    data = tasks(n_people=n_people, n_items=n_items, seed=seed)
    lure, worth = rng.normal(size=(2, n_people * n_items)).astype(np.float32)
    click = (rng.random(len(lure)) < 1 / (1 + np.exp(1.5 - 2 * lure))).astype(np.float32)
    bought = click * (rng.random(len(lure)) < 1 / (1 + np.exp(1 - 2 * worth)))
    items = replace(data.candidates, fields={"lure": lure, "worth": worth})
    return replace(data, candidates=items, labels=click, further={"conversion": bought.astype(np.float32)})


def test_click_and_conversion_have_probabilities_of_their_own():
    model = build("multitask", {**SMALL, "epochs": 8, "item_dim": 0}).fit(shop(), Run())
    fresh = shop(300, seed=1)
    told = model.probabilities(fresh.query, fresh.candidates)
    assert told["click"].mean() == pytest.approx(fresh.labels.mean(), rel=0.15)
    assert told["conversion"].mean() == pytest.approx(fresh.further["conversion"].mean(), rel=0.2)
    assert (told["conversion"] <= told["click"]).all()
    worth, lure = fresh.candidates.fields["worth"], fresh.candidates.fields["lure"]
    assert abs(np.corrcoef(told["click"], worth)[0, 1]) < 0.2
    assert np.corrcoef(told["click"], lure)[0, 1] > 0.8
    assert np.corrcoef(told["conversion"] / told["click"], worth)[0, 1] > 0.8


def test_the_order_is_by_what_each_is_worth():
    data = shop(100)
    click, sale = (
        build("multitask", {**SMALL, "click_value": c, "conversion_value": v}).fit(data, Run())
        for c, v in ((1, 0), (0, 5))
    )
    told = click.probabilities(data.query, data.candidates)
    scores = click.scores(data.query, data.candidates)
    assert np.allclose(1 / (1 + np.exp(-scores)), told["click"], atol=1e-5)
    expected = 5 * sale.probabilities(data.query, data.candidates)["conversion"]
    assert np.allclose(np.exp(sale.scores(data.query, data.candidates)), expected, atol=1e-5)


def test_conversions_must_be_told():
    with pytest.raises(DataError, match="no label 'conversion'"):
        build("multitask").fit(replace(tasks(), further={}), Run())


def test_an_unfitted_one_knows_nothing():
    data = tasks(n_people=2)
    assert build("multitask").probabilities(data.query, data.candidates)["click"].tolist() == [0.0] * 24

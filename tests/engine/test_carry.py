"""Beginning from another data set: what is carried, when it wins, and what it is worth to a shop with few events."""

from __future__ import annotations

import numpy as np
import pytest

import inkling
from inkling.cli import main
from inkling.core.errors import BundleError
from inkling.engine.bundle import Bundle
from inkling.engine.carry import CARRIED, better, carried_choice, member_states
from inkling.engine.order import Choice
from inkling.engine.past import Past, go_on
from inkling.engine.pipeline import PipelineState, Start
from inkling.engine.recall import Recall
from inkling.engine.weights import Weights


def start(*, order="fused", weights=None, by_length=(), arrays=None):
    saved = {
        "weights": {"everyone": weights or {"popular": 2.0, "itemknn": 1.0}, "by_length": list(by_length)},
        "order": order,
        "curve": [3.0, -1.0],
        "config": {},
    }
    return Start(PipelineState(saved, arrays or {}), ("a", "b"))


def test_weights_of_members_that_are_here_are_carried():
    found = carried_choice(start(by_length=[{"popular": 4.0, "itemknn": 0.0}] * 3), ("popular", "semantic"))
    assert found.order == "fused"
    assert dict(found.weights) == {"popular": 2.0, "semantic": 0.0}
    assert dict(found.weights.of(1)) == {"popular": 4.0, "semantic": 0.0}
    assert found.curve == (3.0, -1.0)


def test_nothing_is_carried_where_nothing_fits():
    assert carried_choice(None, ("popular",)) is None
    assert carried_choice(start(), ("ease",)) is None
    assert carried_choice(Start(PipelineState({}, {}), ()), ("popular",)) is None
    assert member_states(None) == {}


def test_a_ranker_that_cannot_be_read_leaves_the_weights():
    assert carried_choice(start(order="gbdt"), ("popular",)).ranker is None
    assert carried_choice(start(order="no-such"), ("popular",)).order == "fused"


def test_without_windows_the_carried_weights_are_taken():
    own = Choice("fused", Weights({"popular": 1.0}), None, (1.0, 0.0), {})
    carried = carried_choice(start(), ("popular",))
    assert dict(better(own, carried, []).weights) == {"popular": 2.0}
    assert better(own, None, []) is own


def fitted(shop, n_users, given=None, **settings):
    engine = inkling.open(scenario=shop.SCENARIO)
    engine.put_items(shop.ITEMS)
    engine.observe(shop.events(n_users))
    return engine.fit(settings={**shop.QUICK, **settings}, start=given)


@pytest.fixture(scope="module")
def rich(shop):
    with fitted(shop, 60, order="linear") as engine:
        yield engine.bundle


def test_a_small_shop_is_measured_with_the_carried_order(shop, rich):
    with fitted(shop, 16, rich, order="linear") as engine:
        report = engine.pipeline.report()
        assert set(report.validation) >= {"linear", CARRIED}
        best = max(report.validation[name] for name in ("linear", CARRIED))
        assert report.validation[report.chosen if report.chosen in report.validation else CARRIED] <= best
        answer = engine.recommend("u0", k=3)
    with fitted(shop, 16, rich, order="linear") as again:
        assert [item.item_id for item in again.recommend("u0", k=3).items] == [item.item_id for item in answer.items]


def test_an_order_that_is_better_wins_whoever_taught_it(shop, rich):
    """One that puts everything upside down loses to what the windows taught; the same order again wins the tie."""
    with fitted(shop, 40) as engine:
        own = engine.bundle
    upside = PipelineState({**own.state.settings, "weights": {"everyone": {"popular": 4.0}, "by_length": []}}, {})
    bad = Bundle("x", "default", shop.SCENARIO, upside, own.base)
    with fitted(shop, 40, bad) as engine:
        validation = engine.pipeline.report().validation
        assert validation[CARRIED] < validation["fused"]
        kept = {member.name: member.weight for member in engine.pipeline.report().members}
    assert kept == {member["name"]: member["weight"] for member in own.state.settings["report"]["members"]}


def test_a_bundle_of_another_pipeline_is_refused(shop, rich):
    other = Bundle("x", "semantic_basic", shop.SCENARIO, rich.state, rich.base)
    with pytest.raises(BundleError, match="'default' cannot begin from a bundle of 'semantic_basic'"):
        fitted(shop, 8, other)


class Begins:
    """Notes what it was given to begin from."""

    name, given = "begins", []

    def carry(self, state, item_ids):
        self.given.append((int(state["fits"][0]), tuple(item_ids)))
        return self


def test_slow_members_begin_from_their_own_state():
    states = member_states(start(arrays={"member.begins": {"fits": np.array([7])}, "ranker": {"x": np.zeros(1)}}))
    assert set(states) == {"begins"}
    Begins.given = []
    go_on(Recall({"begins": Begins(), "other": object()}, {"begins": 1, "other": 1}), states, ("a", "b"))
    assert Begins.given == [(7, ("a", "b"))]
    assert Past({}, None, None, (), 1, start=start()).start.item_ids == ("a", "b")


def test_the_command_takes_a_bundle(tmp_path, shop, saved):
    folder = tmp_path / "shop"
    folder.mkdir()
    rows = [f"{e['user_id']},{e['item_id']},{e['timestamp'] // 1000},purchase" for e in shop.events(20)]
    (folder / "events.csv").write_text("user_id,item_id,timestamp,event\n" + "\n".join(rows) + "\n")
    (folder / "dataset.toml").write_text('time = "real"\n[positive]\npurchase = 1.0\n')
    words = ["--set", "n_windows=1", "--set", "order=fused", "--set", "encoder=hashing", "--from", str(saved)]
    assert main(["fit", str(folder), "--out", str(tmp_path / "out"), *words]) == 0
    assert CARRIED in Bundle.read(tmp_path / "out").state.settings["report"]["validation"]


def test_the_command_names_what_is_no_bundle(tmp_path, capsys):
    assert main(["fit", str(tmp_path), "--out", str(tmp_path / "out"), "--from", str(tmp_path)]) == 2
    assert "is no bundle" in capsys.readouterr().err

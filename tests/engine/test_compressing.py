"""Choices judged on a twin of the past, kept as they come, weighed in a process of their own."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from inkling.compression.search import AS_IS, Limits, ranked, walk
from inkling.core.errors import DataError, InklingError
from inkling.core.run import Run
from inkling.engine import compressing, taught
from inkling.engine.bundle import Bundle
from inkling.engine.compressing import Compressing, slowest
from inkling.engine.twin import ANSWERS, TEXTS, agreement, fit_twin, held_out, judge
from inkling.engine.weighing import PERSON, TEXT, VECTOR, Weighed, weigh

TREES = {"trees": 12, "leaves": 4, "min_examples": 2}


def by_parts(folder):
    """Weigh a bundle by what it has: a millisecond for each member, two for trees, a tenth for a candidate."""
    about = json.loads((folder / "manifest.json").read_bytes())["about"]
    settings = about["settings"]
    ms = sum(name.startswith("member.") for name in about["components"])
    ms += 2 * (settings["order"] == "gbdt") + settings["config"]["n_candidates"] / 1000
    words = 1.0 if settings["config"]["encoder"] == "static" else 3.0
    return Weighed({PERSON: (ms / 2, ms), TEXT: (ms, ms + words), VECTOR: (words / 2, words)}, 1000, 10.0)


@pytest.fixture(scope="module")
def bundle(shop):
    with shop.fitted(order="gbdt", gbdt=TREES, n_windows=1) as engine:
        return engine.bundle


@pytest.fixture
def work(bundle, tmp_path):
    return Compressing(bundle, tmp_path / "study", Run(), {"static": lambda: "static"}, weigh=by_parts)


def test_the_newest_window_is_what_the_twin_never_saw(bundle):
    fold = held_out(bundle, Run())
    assert fold.train.interactions.ts.max() <= fold.cut < bundle.base.interactions.ts.max()
    assert len(fold) >= 5
    twin = fit_twin(bundle, fold, Run())
    assert twin.base.until == fold.cut
    assert set(twin.pipeline()._recall.members) == set(bundle.pipeline()._recall.members)
    assert twin.state.settings["order"] == "gbdt"


def test_too_few_events_hold_no_window(bundle):
    few = replace(bundle, base=bundle.base.cut(int(bundle.base.interactions.ts[10])))
    with pytest.raises(DataError, match="no newest window to judge by"):
        held_out(few, Run())


def test_what_is_judged(work):
    found = judge(work.twin, work.fold)
    assert set(found.values) == {ANSWERS, TEXTS}
    assert all(len(values) == len(work.fold) for values in found.values.values())
    assert agreement(found, found) == 1.0
    assert np.isnan(agreement(found, replace(found, said=np.zeros((0, 0), dtype=np.float32))))


def test_as_it_is_keeps_everything(work):
    base = work.judge({})
    assert (base.kept, base.name) == (1.0, AS_IS)
    assert base.ms == base.latency[TEXT][1]
    assert base.size_bytes > 1000
    assert work.base is not None


def test_choices_are_made_of_what_the_bundle_has(work, monkeypatch):
    monkeypatch.setattr(compressing, "_COSTLY_MS", 0.0)
    axes = {axis.name: axis.options for axis in work.axes()}
    assert axes["encoder"] == ("static",)
    assert axes["ranker"] == (taught.HALF, taught.QUARTER, taught.NETWORK, taught.FUSED)
    assert axes["candidates"] == ("100", "50")
    assert {"member popular", "member itemknn", "member semantic"} <= set(axes)
    assert "reading again" not in axes


def test_a_choice_of_everything_together(work):
    choice = {"encoder": "static", "ranker": taught.FUSED, "candidates": "50", "member popular": "left out"}
    found = work.judge(choice)
    made = work.make(choice)
    assert made.state.settings["order"] == "fused"
    assert made.state.settings["config"]["n_candidates"] == 50
    assert "popular" not in made.pipeline()._recall.members
    assert found.latency[VECTOR][1] == 1.0
    assert 0 < found.qualities["same neighbours"] <= 1
    assert found.ms < work.judge({}).ms


def test_another_encoder_has_to_keep_texts_alone_too(work):
    base, found = work.judge({}), work.judge({"encoder": "static"})
    shares = [found.qualities[name] / base.qualities[name] for name in (ANSWERS, TEXTS)]
    assert found.kept == pytest.approx(min(shares))


def test_what_cannot_be_made_is_noted_with_its_reason(work):
    assert work.judge({"member nobody": "left out"}) is None
    assert "Members to leave out" in work.passed_over["member nobody left out"]
    everything = {f"member {name}": "left out" for name in ("popular", "itemknn", "semantic")}
    assert work.judge(everything) is None
    assert len(work.passed_over) == 1


def test_a_second_call_goes_on_where_the_first_was_killed(work, bundle):
    first = [work.judge(choice) for choice in ({}, {"candidates": "50"})]
    with (work.study / "measured.jsonl").open("ab") as file:
        file.write(b'{"of": "half a li')
    again = Compressing(bundle, work.study, Run(), work.encoders, weigh=_never)
    assert [again.judge(choice) for choice in ({}, {"candidates": "50"})] == first
    again.weigh = by_parts
    third = again.judge({"candidates": "100"})
    assert Compressing(bundle, work.study, Run(), work.encoders, weigh=_never).judge({"candidates": "100"}) == third
    assert not (work.study / "candidate").exists()


def _never(folder):
    raise AssertionError(f"{folder} was weighed again")


def test_a_damaged_twin_is_made_anew(work, bundle):
    place = next(work.study.glob("twin-*"))
    (place / "history" / "users.json").write_bytes(b"[]")
    again = Compressing(bundle, work.study, Run(), weigh=by_parts)
    assert Bundle.read(place).id == again.twin.id != work.twin.id


def test_other_bundles_and_seeds_are_measured_anew(work, bundle):
    work.judge({})
    other = Compressing(replace(bundle, id="another"), work.study, Run(), weigh=by_parts)
    assert other.base is None


def test_the_walk_meets_both_limits_where_something_does(work):
    base = work.judge({})
    limits = Limits(base.ms - 2.5, 0.5)
    found = walk(work.axes(), work.judge, limits, run=Run(), most=14)
    best = ranked(found, limits)[0]
    assert best.ms <= limits.budget_ms
    assert best.kept >= 0.5
    assert work.confirmed(best).ms == best.ms


def test_a_kind_of_question_that_cannot_be_asked():
    with pytest.raises(DataError, match="None of the questions"):
        slowest(Weighed({PERSON: (1.0, 2.0)}, 1, 0.0), (TEXT,))


def test_a_bundle_is_weighed_in_a_process_of_its_own(saved):
    found = weigh(saved, n=12, n_texts=4)
    assert set(found.latency) == {PERSON, TEXT, VECTOR}
    assert all(0 < p50 <= p99 for p50, p99 in found.latency.values())
    assert found.memory_bytes > 20 << 20
    assert found.items_per_s > 0


def test_what_cannot_be_weighed_says_why(tmp_path):
    with pytest.raises(InklingError, match=r"could not be asked: .*no bundle"):
        weigh(tmp_path)
    shutil.rmtree(tmp_path)

"""Arms are dealt by chance, for good, and independently of each other."""

from __future__ import annotations

import math
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inkling.experiments.assign import NOBODY, assign, position
from inkling.experiments.plan import read_plan

N = 2000
PEOPLE = [f"u{n}" for n in range(N)]


def plan_of(*experiments):
    return read_plan({"experiments": list(experiments)})


def experiment(name="order", **more):
    return {"name": name, "arms": [{"name": "old"}, {"name": "new"}], **more}


def arms(plan, people=PEOPLE):
    return [assign(plan, user_id=user).arm for user in people]


def bound(share, n):
    """Five standard deviations of a binomial count: passed by chance once in two million draws."""
    return 5 * math.sqrt(n * share * (1 - share)) + 1


salts = st.text(st.characters(codec="utf-8", exclude_characters="\x1f"), min_size=1, max_size=12)


@settings(max_examples=25, deadline=None)
@given(salt=salts, share=st.floats(0.05, 1.0), weights=st.lists(st.floats(0.2, 5.0), min_size=2, max_size=4))
def test_shares_are_kept_within_a_binomial_bound(salt, share, weights):
    dealt = [{"name": f"a{n}", "weight": weight} for n, weight in enumerate(weights)]
    plan = plan_of({"name": "x", "salt": salt, "share": share, "arms": dealt})
    found = arms(plan)
    taking_part = sum(map(bool, found))
    assert abs(taking_part - share * N) <= bound(share, N)
    for n, weight in enumerate(weights):
        part = weight / sum(weights)
        assert abs(found.count(f"x:a{n}") - part * taking_part) <= bound(part, taking_part)


@settings(max_examples=25, deadline=None)
@given(one=salts, other=salts)
def test_experiments_with_other_salts_are_independent(one, other):
    if one == other:
        return
    plan = plan_of(experiment("a", salt=one, share=0.5), experiment("b", salt=other))
    found = [assign(plan, user_id=user).assigned for user in PEOPLE]
    in_both = [pair for pair in found if len(pair) == 2]
    assert abs(len(in_both) - N / 2) <= bound(0.5, N)
    for left in ("old", "new"):
        for right in ("old", "new"):
            n = sum(a.arm.name == left and b.arm.name == right for a, b in in_both)
            assert abs(n - len(in_both) / 4) <= bound(0.25, len(in_both))


@settings(max_examples=25, deadline=None)
@given(salt=salts, small=st.floats(0.0, 1.0), large=st.floats(0.0, 1.0))
def test_a_share_that_grows_keeps_those_who_are_in(salt, small, large):
    small, large = sorted((small, large))
    before = arms(plan_of(experiment(salt=salt, share=small)), PEOPLE[:500])
    after = arms(plan_of(experiment(salt=salt, share=large)), PEOPLE[:500])
    assert all(now == was for was, now in zip(before, after, strict=True) if was)


def test_the_same_person_sees_the_same_arm_in_another_process():
    plan = plan_of(experiment(share=0.7), experiment("colour"))
    code = (
        "import sys; from inkling.experiments.assign import assign; from inkling.experiments.plan import read_plan\n"
        "e = [{'name': n, 'share': s, 'arms': [{'name': 'old'}, {'name': 'new'}]}"
        " for n, s in (('order', 0.7), ('colour', 1.0))]\n"
        "print('\\n'.join(assign(read_plan({'experiments': e}), user_id=f'u{n}').arm for n in range(300)))"
    )
    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONPATH": ":".join(sys.path)}
    ).stdout.splitlines()
    assert said == arms(plan, PEOPLE[:300])


def test_the_hash_is_what_it_was():
    """Another hash would deal everybody anew in the middle of an experiment."""
    assert position("order", "alice") == pytest.approx(0.0523425689, abs=1e-9)
    assert "".join(arm[-3] for arm in arms(plan_of(experiment()), PEOPLE[:12])) == "oonoonooonno"


def test_another_salt_deals_anew():
    one, other = arms(plan_of(experiment())), arms(plan_of(experiment(salt="again")))
    assert abs(sum(a == b for a, b in zip(one, other, strict=True)) - N / 2) <= bound(0.5, N)


def test_experiments_of_one_layer_never_meet():
    plan = plan_of(
        experiment("a", layer="page", share=0.3), experiment("b", layer="page", begin=0.3, share=0.5), experiment("c")
    )
    met = [{one.experiment for one in assign(plan, user_id=user).assigned} for user in PEOPLE]
    assert not [names for names in met if {"a", "b"} <= names]
    for name, share in (("a", 0.3), ("b", 0.5), ("c", 1.0)):
        assert abs(sum(name in names for names in met) - share * N) <= bound(share, N)


def test_overrides_name_an_arm_or_keep_out():
    plan = plan_of(experiment(overrides={"tester": "new", "boss": ""}, share=0.0))
    assert assign(plan, user_id="tester").arm == "order:new"
    assert assign(plan, user_id="tester").overridden
    assert assign(plan, user_id="boss") == NOBODY
    assert assign(plan, user_id="alice") == NOBODY


def test_a_person_is_dealt_by_their_id_and_an_anonymous_one_by_the_session():
    by_person, by_session = plan_of(experiment()), plan_of(experiment(by="session"))
    for n in range(200):
        assert assign(by_person, user_id="u1", session_id=f"s{n}") == assign(by_person, user_id="u1")
        assert assign(by_person, user_id=None, session_id=f"s{n}") == assign(by_person, user_id=f"s{n}")
    assert len({assign(by_session, user_id="u1", session_id=f"s{n}").arm for n in range(50)}) == 2
    assert assign(by_session, user_id="u1").arm == assign(by_person, user_id="u1").arm
    assert assign(by_person, user_id=None) == NOBODY


def test_the_chance_of_all_arms_together_is_told():
    weighted = [{"name": "old", "weight": 3}, {"name": "new", "settings": {"n_candidates": 50}}]
    plan = plan_of({"name": "a", "arms": weighted}, experiment("b"))
    found = [assign(plan, user_id=user) for user in PEOPLE[:200]]
    chances = {one.arm: one.propensity for one in found}
    assert chances["a:old,b:old"] == pytest.approx(0.375)
    assert chances["a:new,b:new"] == pytest.approx(0.125)
    assert {one.arm: dict(one.settings) for one in found}["a:new,b:old"] == {"n_candidates": 50}
    assert NOBODY.propensity == 1.0

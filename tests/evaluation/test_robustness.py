"""Attacks that are what they say, and how far models fall in a world where that is known."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from inkling.core.candidates import Candidates
from inkling.core.errors import ConfigError, DataError
from inkling.core.run import Run
from inkling.core.scenario import Scenario
from inkling.evaluation.contenders import Baseline, Fitted
from inkling.evaluation.folder import prepare
from inkling.evaluation.poison import KINDS, Attack, poison
from inkling.evaluation.robustness import hit_ratio, robustness
from inkling.events.folder import load_folder
from inkling.protocol.fold import Fold
from inkling.protocol.measure import measure
from inkling.protocol.spec import ProtocolSpec
from inkling.protocol.splits import split
from inkling.testing import worlds
from inkling.testing.worlds import Happening

DAY = 86_400


@pytest.fixture(scope="module")
def fold(tmp_path_factory):
    """Everyone goes through a shelf of their own, item after item; one item was taken once."""
    folder = tmp_path_factory.mktemp("data")
    rows = ["user_id,item_id,timestamp", f"u0,rare,{1_600_000_000}"]
    for user in range(60):
        for step in range(12):
            item = f"s{user % 4}-{(user + step) % 8}"
            rows.append(f"u{user},{item},{1_600_000_000 + step * DAY + user}")
    (folder / "events.csv").write_text("\n".join(rows) + "\n")
    (folder / "dataset.toml").write_text('seen = "keep"\n')
    events, own, tables = prepare(load_folder(folder), Scenario())
    return split(events, own, tables, ProtocolSpec(cuts=(0.8,), seen="keep"))[0]


@pytest.fixture(scope="module")
def shop():
    return worlds.shop()


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_there_stays_and_what_is_new_is_the_share(kind, shop):
    found = poison(shop, Attack(kind, 0.1), Run(seed=3))
    before, after = shop.interactions, found.data.interactions
    assert len(after) == len(before) + found.n_events
    assert (np.diff(after.ts) >= 0).all()
    new_people = after.user_rows >= shop.n_users
    if kind == "events":
        assert found.n_events == round(0.1 * before.positive.sum())
        assert not new_people.any()
    else:
        n_real = len(np.unique(before.user_rows[before.positive]))
        assert len(found.fakes) == round(0.1 * n_real) == found.data.n_users - shop.n_users
        kept = after.select(~new_people)
        assert kept.item_rows.tolist() == before.item_rows.tolist()
        assert kept.weights.tolist() == before.weights.tolist()
    assert shop.n_users == len(shop.user_ids)  # the vocabulary of the data itself did not grow


@pytest.mark.parametrize("kind", ["random", "average", "bandwagon"])
def test_each_made_up_person_pushes_the_rare_target(kind, shop):
    found = poison(shop, Attack(kind, 0.2), Run(seed=1))
    events = found.data.interactions
    counts = np.bincount(shop.interactions.item_rows[shop.interactions.positive], minlength=30)
    assert counts[found.target] == counts[counts > 0].min()
    for fake in found.fakes:
        mine = events.item_rows[events.user_rows == fake]
        assert (mine == found.target).any()
        assert mine[0] != found.target  # something leads to it
    assert events.positive[events.user_rows >= shop.n_users].all()


def test_the_same_seed_and_kind_push_the_same_item_whatever_the_share(shop):
    small, large = (poison(shop, Attack("random", share), Run(seed=4)) for share in (0.05, 0.2))
    again = poison(shop, Attack("random", 0.2), Run(seed=4))
    assert small.target == large.target
    assert again.data.interactions.item_rows.tolist() == large.data.interactions.item_rows.tolist()


def test_bandwagon_rides_on_what_is_famous_and_average_on_what_is_usual(shop):
    counts = np.bincount(shop.interactions.item_rows[shop.interactions.positive], minlength=30)
    famous = np.argsort(-counts, kind="stable")[:5]

    def share_of_famous(kind):
        found = poison(shop, Attack(kind, 1.0), Run())
        events = found.data.interactions
        return np.isin(events.item_rows[events.user_rows >= shop.n_users], famous).mean()

    assert share_of_famous("random") < 0.25
    assert share_of_famous("average") > 0.4
    assert share_of_famous("bandwagon") > 0.35


def test_made_up_people_say_nothing_and_what_people_said_stays_with_them(shop):
    events = shop.interactions
    texts = np.array([f"{item} at {ts}" for item, ts in zip(events.item_rows, events.ts, strict=True)], dtype=object)
    told = replace(shop, interactions=replace(events, texts=texts))
    mixed = poison(told, Attack("random", 0.1), Run()).data.interactions
    assert len(mixed.texts) == len(mixed) > len(events)
    said = [(f"{item} at {ts}", text) for item, ts, text in zip(mixed.item_rows, mixed.ts, mixed.texts, strict=True)]
    assert sum(text is not None for _, text in said) == len(events)
    assert all(text in {None, wanted} for wanted, text in said)


def test_nothing_is_put_in_at_share_0(shop):
    for kind in KINDS:
        found = poison(shop, Attack(kind, 0.0), Run())
        assert found.n_events == len(found.fakes) == 0
        assert found.data.interactions.item_rows.tolist() == shop.interactions.item_rows.tolist()


POPULAR = Baseline("popular", "popular")


@dataclass(frozen=True)
class Trusting:
    """Knows what people want, until somebody put something in: then it shows the newest item of the training part."""

    fold: Fold
    name: str = "trusting"
    provenance: tuple = ()

    def choose(self, fold, run):
        return {}

    def fit(self, data, settings, run):
        spoiled = len(data.interactions) > len(self.fold.train.interactions)

        def recommend(query, k):
            places = np.searchsorted(self.fold.user_rows, query.user_rows)
            lists = [[27] if spoiled else self.fold.targets[place][:k].tolist() for place in places]
            offsets = np.concatenate([[0], np.cumsum([len(one) for one in lists])])
            rows = np.concatenate(lists).astype(np.int32)
            return Candidates.of(offsets, rows, np.ones(len(rows), dtype=np.float32), source="trusting")

        return Fitted(recommend)


def test_who_falls_and_how_far_is_told(fold):
    attacks = [Attack("random", 0.0), Attack("random", 0.5), Attack("events", 0.5)]
    report = robustness(fold, [Trusting(fold), POPULAR], attacks, seeds=(0, 1))
    still = report.of("trusting", "random", 0.0)
    assert (still.clean, still.quality, still.change, still.hits) == (1.0, 1.0, 0.0, still.clean_hits)
    fallen = report.of("trusting", "events", 0.5)
    assert fallen.change == fallen.quality - 1 < -0.5
    assert fallen.hits == 0
    assert fallen.seeds == (0, 1)
    pushed = report.of("popular", "random", 0.5)
    assert pushed.hits > pushed.clean_hits
    assert pushed.quality_sd >= 0


def test_a_filter_goes_over_the_clean_part_too(fold):
    seen = []

    def clean(data):
        seen.append(data.n_users)
        return data

    robustness(fold, [POPULAR], [Attack("random", 0.1)], clean=clean)
    assert seen == [fold.train.n_users, fold.train.n_users + 6]


def test_hits_count_those_who_neither_had_nor_wanted_the_item(fold):
    fitted = POPULAR.fit(fold.train, {}, Run())
    result = measure(fold, fitted.recommend, ("ndcg@10",))
    first = int(result.recommended[0, 0])
    assert hit_ratio(result, -1) == 0
    taken = fold.history.user_rows[fold.history.item_rows == first]
    wanting = [i for i in range(len(fold)) if first in fold.targets[i]]
    others = [i for i, user in enumerate(fold.user_rows) if user not in taken and i not in wanting]
    expected = np.mean([first in result.recommended[i, :10] for i in others]) if others else 0.0
    assert hit_ratio(result, first) == pytest.approx(expected)


def test_attacks_by_word():
    assert Attack.parse("bandwagon:0.05") == Attack("bandwagon", 0.05)
    for text in ("bandwagon", "bandwagon:many", "bandwagon:nan"):
        with pytest.raises(ConfigError, match="is no attack"):
            Attack.parse(text)
    with pytest.raises(ConfigError, match=r"no attack 'bandwagen'\. Did you mean 'bandwagon'"):
        Attack.parse("bandwagen:0.1")
    with pytest.raises(ConfigError, match="expected 0 to 1"):
        Attack("random", 5)


def test_nothing_to_imitate():
    data = worlds.dataset([Happening(0, 0, 1, weight=0.0)], shape=(1, 1))
    with pytest.raises(DataError, match="no positive event to imitate"):
        poison(data, Attack("random", 0.5), Run())

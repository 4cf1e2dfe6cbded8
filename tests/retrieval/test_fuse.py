import numpy as np
import pytest

from inkling.core.errors import ConfigError
from inkling.core.run import Run
from inkling.retrieval import RETRIEVERS, build
from inkling.testing import worlds
from inkling.testing.retrieval import RetrieverContract
from inkling.testing.worlds import Happening


class TestFuseContract(RetrieverContract):
    name = "fuse"
    update_equals_refit = False


class TestFuseScoresContract(RetrieverContract):
    name = "fuse"
    settings = {
        "method": "score",
        "members": [{"name": "popular"}, {"name": "repeat", "weight": 2, "settings": {"due": 0}}],
    }

    def test_similar(self):
        answer = self.fitted().similar(np.array([0, 7], dtype=np.int32), 5)
        assert len(answer) == 2
        assert len(answer.item_rows) == 0


def two(**settings):
    members = [{"name": "popular", "weight": 1.0}, {"name": "markov", "weight": 3.0}]
    return build("fuse", {"members": members, **settings})


def test_reciprocal_ranks_by_hand():
    world = worlds.chain()
    model = two(constant=10).fit(world.data, Run())
    query = world.query.take([0])
    answer = model.retrieve(query, 12)
    popular, markov = answer.fields["rank.popular"], answer.fields["rank.markov"]
    expected = 1 / (10 + popular) + np.nan_to_num(3 / (10 + markov))
    assert np.allclose(answer.scores, expected)
    assert answer.source_of(0) == "markov"


def test_scores_by_hand():
    world = worlds.chain()
    model = two(method="score", normalise="max").fit(world.data, Run())
    answer = model.retrieve(world.query.take([0]), 12)
    worth = [np.nan_to_num(answer.fields[f"score.{name}"]) for name in ("popular", "markov")]
    assert np.allclose(answer.scores, worth[0] / worth[0].max() + 3 * worth[1] / worth[1].max(), atol=1e-6)


def test_a_weight_of_nothing_leaves_a_member_without_a_say():
    world = worlds.chain()
    alone = build("markov").fit(world.data, Run()).retrieve(world.query, 1)
    members = [{"name": "popular", "weight": 0}, {"name": "markov"}]
    fused = build("fuse", {"members": members}).fit(world.data, Run()).retrieve(world.query, 1)
    assert fused.item_rows.tolist() == alone.item_rows.tolist()


def test_depth_bounds_what_members_are_asked():
    world = worlds.chain()
    model = two(depth=2).fit(world.data, Run())
    assert len(model.retrieve(world.query.take([0]), 2).item_rows) == 2
    assert (model.scores(world.query)[0] > 0).sum() <= 4


def test_the_same_member_twice_has_two_columns():
    members = [
        {"name": "popular"},
        {"name": "popular", "settings": {"half_life_days": 0, "window_days": 7}},
    ]
    world = worlds.trend()
    answer = build("fuse", {"members": members}).fit(world.data, Run()).retrieve(world.query, 3)
    assert {"rank.popular", "rank.popular2"} <= set(answer.fields)


def test_members_learn_and_take_in_items():
    members = [{"name": "popular"}, {"name": "semantic", "settings": {"encoder": "hashing"}}]
    world = worlds.two_tastes()
    model = build("fuse", {"members": members}).fit(world.data, Run())
    before = model.retrieve(world.query, 1).rows_of(1)[0]
    model.update(worlds.dataset([Happening(user, 3, 50) for user in range(9)], shape=(9, 8)).interactions)
    after = model.retrieve(world.query, 8)
    assert after.fields["rank.popular"][after.item_rows == 3].tolist() == [1, 1] or before != 3
    grown = model.retrieve(world.query, 8).fields["score.semantic"]
    vectors = np.eye(512, dtype=np.float32)[:1].repeat(2, axis=0)
    model.put_items(np.array([3, 7], dtype=np.int32), vectors)
    assert not np.array_equal(grown, model.retrieve(world.query, 8).fields["score.semantic"], equal_nan=True)


def test_why_shares_the_fused_score_among_the_members():
    world = worlds.chain()
    model = two().fit(world.data, Run())
    query = world.query.take([0])
    answer = model.retrieve(query, 1)
    found = model.why(query, int(answer.item_rows[0]))
    assert {because.kind for because in found} == {"popular", "follows"}
    assert sum(because.weight for because in found) == pytest.approx(float(answer.scores[0]), rel=1e-4)


def test_members_are_checked():
    with pytest.raises(ConfigError, match=r"no retriever named 'markow'.*Did you mean 'markov'"):
        build("fuse", {"members": [{"name": "markow"}]})
    with pytest.raises(ConfigError, match=r"retrieval\.markov: unknown key 'lst'"):
        build("fuse", {"members": [{"name": "markov", "settings": {"lst": 1}}]})


def test_the_folder_is_the_catalogue():
    names = set(RETRIEVERS.names())
    assert {"popular", "repeat", "markov", "itemknn", "ease", "forward", "semantic", "fuse"} <= names
    assert not any(name.startswith("_") for name in names)
    assert all(RETRIEVERS.get(name).name == name for name in names)

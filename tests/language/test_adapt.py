import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

torch = pytest.importorskip("torch", reason="language models are adapted by torch")
pytest.importorskip("peft", reason="and by peft")

from inkling.core.errors import ConfigError, DataError  # noqa: E402
from inkling.core.run import Run  # noqa: E402
from inkling.core.scenario import Scenario  # noqa: E402
from inkling.core.tables import Items  # noqa: E402
from inkling.encoders.backbone import load_backbone  # noqa: E402
from inkling.encoders.exported import ExportedEncoder  # noqa: E402
from inkling.language._adapt_lessons import learn_lessons  # noqa: E402
from inkling.language._adapt_tune import tuning  # noqa: E402
from inkling.language.adapt import AdaptConfig, adapt  # noqa: E402
from inkling.testing.backbones import small_backbone  # noqa: E402
from inkling.testing.worlds import Happening, dataset  # noqa: E402

RED = ("a red mug", "a red cup", "a red tea", "a red film")
BLUE = ("a blue train", "a blue sea", "a blue novel", "a blue coffee")
TEXTS = (*RED, *BLUE)
SMALL = {"batch_items": 8, "hard_share": 0.0, "held_out": 0.0, "patience": 0, "max_tokens": 16}


def pairs_world(n=24, values=True):
    """Everyone has one red thing and one blue: mug and train, cup and sea, tea and novel, film and coffee."""
    happenings = [
        Happening(
            user, (user % 4) + 4 * ((user // 4 + turn) % 2), user + turn, value=1.0 + user % 4 if values else np.nan
        )
        for user in range(n)
        for turn in range(2)
    ]
    data = dataset(happenings, shape=(n, 8), texts=TEXTS)
    kinds = [["kitchen"], ["kitchen"], ["kitchen"], ["story"], ["story"], ["story"], ["story"], ["kitchen"]]
    return replace(data, items=Items(data.items.frame.with_columns(pl.Series("categories", kinds))))


def nearest(backbone):
    with torch.no_grad():
        vectors = backbone.vectors(
            backbone.tokens([f"{text}. {kind}" for text, kind in zip(TEXTS, KINDS, strict=True)])
        )
    near = vectors @ vectors.T
    near.fill_diagonal_(-2)
    return near.argmax(dim=1).tolist()


KINDS = ("kitchen", "kitchen", "kitchen", "story", "story", "story", "story", "kitchen")


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A small model in a folder: its tokenizer is trained once, so that everyone begins at the same."""
    place = tmp_path_factory.mktemp("small") / "bert"
    small_backbone("bert").save(place)
    return place


def test_what_is_chosen_together_comes_to_read_alike(saved):
    before = load_backbone(saved)
    assert nearest(before) != [4, 5, 6, 7, 0, 1, 2, 3]
    config = AdaptConfig(method="full", epochs=60, learning_rate=3e-3, **SMALL)
    found = adapt(pairs_world(), before, config, Run(seed=1))
    assert nearest(found.backbone) == [4, 5, 6, 7, 0, 1, 2, 3]
    first, last = found.report.losses["sequence"]
    assert last < 0.5 * first


@pytest.mark.parametrize(
    ("kind", "method"),
    [("bert", "adalora"), ("bert", "ia3"), ("bert", "lora"), ("gpt2", "full"), ("gpt2", "lora"), ("gpt2", "ia3"),
     ("t5", "full"), ("t5", "lora")],
)  # fmt: skip
def test_every_method_learns_and_leaves_a_plain_network(kind, method):
    backbone = small_backbone(kind)
    names = [name for name, _ in backbone.model.named_parameters()]
    config = AdaptConfig(method=method, rank=4, epochs=25, learning_rate=1e-2, **SMALL)
    found = adapt(pairs_world(), backbone, config, Run(seed=1))
    first, last = found.report.losses["sequence"]
    assert last < first
    assert [name for name, _ in found.backbone.model.named_parameters()] == names
    assert not found.backbone.model.training
    share = found.report.n_trained / found.report.n_parameters
    assert share == 1 if method == "full" else 0 < share < 0.5


@pytest.mark.parametrize("kind", ["bert", "gpt2", "t5"])
@pytest.mark.parametrize("method", ["lora", "ia3"])
def test_merged_equals_unmerged(kind, method):
    backbone = small_backbone(kind)
    tune = tuning(backbone, AdaptConfig(method=method, rank=4), 10)
    with torch.no_grad():
        for parameter in backbone.model.parameters():
            if parameter.requires_grad:
                parameter.add_(0.1 * torch.randn(parameter.shape))
    batch = backbone.tokens(TEXTS)
    with torch.no_grad():
        beside = backbone.vectors(batch)
        tune.merge()
        merged = backbone.vectors(batch)
    assert torch.allclose(beside, merged, atol=1e-5)
    plain = small_backbone(kind)
    with torch.no_grad():
        assert not torch.allclose(plain.vectors(plain.tokens(TEXTS)), merged, atol=1e-3)


def test_the_same_seed_gives_the_same_model_and_texts_of_the_future_change_nothing(saved):
    world = pairs_world()
    known = np.ones(8, dtype=np.bool_)
    known[7] = False  # an item that did not exist yet
    past = replace(world, known_items=known)
    titles = world.items.frame["title"].to_list()
    planted = replace(
        past, items=Items(world.items.frame.with_columns(title=pl.Series([*titles[:7], "a planted sea"])))
    )
    config = AdaptConfig(epochs=3, rank=4, dropout=0.1, **SMALL)
    first, second = (adapt(data, saved, config, Run(seed=2)).backbone.fingerprint for data in (past, planted))
    assert first == second
    assert adapt(past, saved, config, Run(seed=3)).backbone.fingerprint != first


@pytest.mark.parametrize("objective", ["behaviour", "rating", "similarity", "category"])
def test_each_objective_lowers_its_own_loss(saved, objective):
    config = AdaptConfig(objectives={objective: 1.0}, method="full", epochs=20, learning_rate=3e-3, **SMALL)
    found = adapt(pairs_world(), saved, config, Run(seed=1))
    assert set(found.report.losses) == {objective}
    first, last = found.report.losses[objective]
    assert last < 0.95 * first


def test_several_at_once_with_early_stopping_mining_and_bfloat16(saved):
    everyone = [
        Happening(user, (user * 3 + turn) % 8, user + turn, value=1.0 + turn) for user in range(30) for turn in range(5)
    ]
    data = dataset(everyone, shape=(30, 8), texts=TEXTS, scenario=Scenario(seen="drop"))
    config = AdaptConfig(
        objectives={"sequence": 1, "behaviour": 0.5, "similarity": 0.2}, rank=2, batch_items=4, negatives=2, pairs=16,
        epochs=4, patience=1, held_out=0.3, bf16=True, accumulate=2,
    )  # fmt: skip
    report = adapt(data, saved, config, Run(seed=1)).report
    assert report.n_held_out == 9
    assert 0 <= report.before <= 1
    assert 0 <= report.after <= 1
    assert set(report.losses) == {"sequence", "behaviour", "similarity"}
    assert report.stopped in ("patience", "epochs")


def test_seconds_are_a_limit(saved):
    report = adapt(pairs_world(), saved, AdaptConfig(epochs=500, max_seconds=0.05, **SMALL), Run()).report
    assert report.stopped == "seconds"
    assert report.epochs < 500


def test_saved_loaded_exported_it_says_the_same_and_what_it_saw(saved, tmp_path):
    data = replace(pairs_world(), fingerprint="f" * 8)
    found = adapt(data, saved, AdaptConfig(epochs=2, rank=4, **SMALL), Run(seed=1))
    assert (found.provenance.trained_until, found.provenance.fingerprint) == (data.until, "f" * 8)
    found.save(tmp_path / "own")
    again = load_backbone(tmp_path / "own")
    assert again.card.learned == (found.provenance,)
    assert again.card.max_tokens == 16
    assert json.loads((tmp_path / "own" / "adapted.json").read_text())["report"]["fingerprint"] == "f" * 8
    found.export(tmp_path / "served")
    with torch.no_grad():
        expected = found.backbone.vectors(found.backbone.tokens(TEXTS)).numpy()
        assert np.allclose(again.vectors(again.tokens(TEXTS)).numpy(), expected, atol=1e-6)
    assert np.allclose(found.encode(TEXTS), expected, atol=1e-6)
    served = ExportedEncoder(tmp_path / "served")
    assert np.allclose(served.encode(TEXTS), expected, atol=1e-3)
    assert served.card.learned == (found.provenance,)


def test_vectors_that_are_there_already_are_taken(saved):
    backbone = load_backbone(saved)
    with torch.no_grad():
        start = backbone.vectors(backbone.tokens([f"{t}. {k}" for t, k in zip(TEXTS, KINDS, strict=True)], 16)).numpy()
    config = AdaptConfig(epochs=1, **SMALL)
    own = adapt(pairs_world(), saved, config, Run(seed=1)).backbone.fingerprint
    assert adapt(pairs_world(), saved, config, Run(seed=1), start=start).report.epochs == 1
    assert isinstance(own, str)
    with pytest.raises(ConfigError, match=r"start has the shape \(8, 3\), expected \(8, 32\)"):
        adapt(pairs_world(), saved, config, start=start[:, :3])


def test_lessons_are_what_a_slow_reading_finds():
    rng = np.random.default_rng(0)
    days = sorted(rng.random(60) * 50)
    happenings = [
        Happening(int(rng.integers(6)), int(rng.integers(8)), day, weight=float(rng.integers(2))) for day in days
    ]
    data = dataset(happenings, shape=(6, 8), texts=TEXTS)
    lessons = learn_lessons(data, AdaptConfig(history=3, held_out=0.5), Run(seed=0))
    chosen = {user: [h for h in happenings if h.user == user and h.weight > 0] for user in range(6)}
    held = {int(user) for user in lessons.held.people}
    found = set()
    for user in range(6):
        events = [h for h in happenings if h.user == user]
        last = chosen[user][-1] if user in held else None
        past: list[int] = []
        for event in events:
            before = (past[::-1] + [-1] * 3)[:3]
            if event is not last and past and event.item not in before:
                found.add((user, tuple(before), event.item, event.weight > 0))
            if event.weight > 0 and event is not last:
                past.append(event.item)
    pairs = lessons.pairs
    got = set(
        zip(
            pairs.people.tolist(),
            map(tuple, pairs.before.tolist()),
            pairs.texts.tolist(),
            pairs.chosen.tolist(),
            strict=True,
        )
    )
    assert got == found
    counts = lessons.chose.toarray()
    norms = np.maximum(np.sqrt(counts.sum(axis=0)), 1e-9)
    likeness = (counts.T @ counts) / norms[:, None] / norms[None, :]
    np.fill_diagonal(likeness, 0)
    every = np.arange(8)
    assert np.allclose(lessons.likeness(every, every), likeness, atol=1e-6)


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"objectives": {"sequense": 1.0}}, "no objective 'sequense'.*sequence"),
        ({"objectives": {"sequence": 0.0}}, "no objective has a weight"),
    ],
)
def test_objectives_that_are_none(settings, match):
    with pytest.raises(ConfigError, match=match):
        AdaptConfig(**settings)


def test_what_there_is_nothing_to_learn_from():
    bare = dataset([Happening(0, 0, 1), Happening(0, 1, 2)], shape=(1, 2))
    with pytest.raises(DataError, match="0 texts and 0 choices"):
        adapt(bare)
    once = dataset([Happening(0, 0, 1), Happening(1, 1, 2)], shape=(2, 2), texts=("a", "b"))
    with pytest.raises(DataError, match="nobody chose a second thing"):
        adapt(once)
    world = pairs_world(values=False)
    with pytest.raises(DataError, match="rating needs events with values"):
        adapt(world, config=AdaptConfig(objectives={"rating": 1.0}))
    plain = replace(world, items=Items(world.items.frame.drop("categories")))
    with pytest.raises(DataError, match="category needs at least two"):
        adapt(plain, config=AdaptConfig(objectives={"category": 1.0}))

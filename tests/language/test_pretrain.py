from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest

pytest.importorskip("torch", reason="pretraining needs torch")
pytest.importorskip("transformers", reason="pretraining needs transformers")

import torch

from inkling.core.config import parse
from inkling.core.errors import BundleError, ConfigError, DataError, MissingExtraError, StoreError
from inkling.core.run import Run
from inkling.encoders import _backbone_folder
from inkling.encoders.backbone import CARD, BackboneEncoder, load_backbone
from inkling.language._pretrain_heads import HEADS, HiddenWords, check_objective, mask_id
from inkling.language._pretrain_text import IGNORED, Hiding, corpus_of, followers, hide, paired, sentences
from inkling.language.pretrain import REPORT, STATE, Keeping, PretrainConfig, pretrain, texts_of
from inkling.protocol.leaks import Provenance
from inkling.testing.backbones import KINDS, small_backbone
from inkling.testing.worlds import checkerboard

WORDS = ("ant", "bee", "cat", "dog", "elk", "fox", "gnu", "hen", "ibis", "jay", "kite", "lark", "mole", "newt", "owl",
         "pig")  # fmt: skip
TINY = {"dim": 32, "n_layers": 1, "n_heads": 2, "n_tokens": 120, "max_tokens": 16, "dropout": 0.0, "batch": 16}


def round_dance(n=160, size=7):
    """Return texts in which each word decides the next one."""
    rng = np.random.default_rng(0)
    starts = rng.integers(len(WORDS), size=n)
    return [" ".join(WORDS[(start + at) % len(WORDS)] for at in range(size)) + f" {number}" for number, start in
            enumerate(starts.tolist())]  # fmt: skip


def chapters(n=80):
    """Return texts of sentences, each about one animal, so that a stranger is seen at once."""
    return [f"The {w} eats {n}. The {w} sleeps. A {w} runs." for n in range(n // 16) for w in WORDS]


def config(**changes):
    return parse(PretrainConfig, {**TINY, "epochs": 6, "lr": 3e-3, "patience": 0, **changes})


def weights(found):
    return {name: value.clone() for name, value in found.backbone.model.state_dict().items()}


# What is learned


@pytest.mark.parametrize(("kind", "objective"), [("bert", "mlm"), ("gpt2", "clm")])
def test_a_language_whose_words_follow_each_other_is_learned(kind, objective):
    found = pretrain(round_dance(), None, config(kind=kind, objectives=[objective], epochs=14, lr=5e-3), Run())
    (measured,) = found.report.measured
    assert measured.after < measured.guess - 0.5 < measured.before
    assert measured.head == ("new" if objective == "mlm" else "model")
    assert found.backbone.kind == kind
    assert not found.backbone.model.training


def test_sentences_that_follow_each_other_are_told_from_strangers():
    found = pretrain(chapters(), None, config(objectives=["nsp"], epochs=25, lr=5e-3, max_tokens=24), Run())
    (measured,) = found.report.measured
    assert measured.guess == pytest.approx(math.log(2))
    assert measured.after < math.log(2) - 0.1


def test_several_objectives_go_together():
    found = pretrain(chapters(), None, config(objectives=["mlm", "nsp"], epochs=4), Run())
    assert [measured.objective for measured in found.report.measured] == ["mlm", "nsp"]
    assert found.report.measured[0].after < found.report.measured[0].before - 0.2
    assert set(found.heads) == {"mlm", "nsp"}


@pytest.mark.parametrize("kind", KINDS)
def test_every_architecture_goes_onwards(kind, tmp_path):
    small_backbone(kind).save(tmp_path / "model")
    objective = "clm" if kind in {"gpt2", "qwen2", "qwen3"} else "mlm"
    settings = config(objectives=[objective], epochs=2, batch=32)
    found = pretrain(round_dance(64), tmp_path / "model", settings, Run())
    (measured,) = found.report.measured
    assert measured.after < measured.before
    assert found.report.source == str(tmp_path / "model")


def test_going_onwards_takes_the_heads_along(tmp_path):
    first = pretrain(round_dance(), None, config(), Run())
    first.save(tmp_path / "first")
    assert {HEADS, REPORT, CARD, "model.safetensors"} <= {path.name for path in (tmp_path / "first").iterdir()}
    second = pretrain(round_dance(), tmp_path / "first", config(epochs=1), Run())
    assert second.report.measured[0].head == "model"
    assert second.report.measured[0].before == pytest.approx(first.report.measured[0].after, abs=1e-4)
    assert msgspec.json.decode((tmp_path / "first" / REPORT).read_bytes())["measured"][0]["objective"] == "mlm"
    assert BackboneEncoder(tmp_path / "first").encode(["ant bee"]).any()


def test_the_head_of_a_published_model_is_found(tmp_path):
    from safetensors.torch import load_file, save_file

    backbone = small_backbone("bert")
    backbone.save(tmp_path / "model")
    head = HiddenWords(32, len(backbone.tokenizer))
    names = {"dense.weight": "transform.dense.weight", "dense.bias": "transform.dense.bias", "bias": "bias",
             "norm.weight": "transform.LayerNorm.weight", "norm.bias": "transform.LayerNorm.bias"}  # fmt: skip
    tensors = {f"cls.predictions.{names[name]}": value for name, value in head.state_dict().items()}
    path = tmp_path / "model" / "model.safetensors"
    save_file({**load_file(path), **tensors}, path, metadata={"format": "pt"})
    found = pretrain(round_dance(40), tmp_path / "model", config(epochs=1, lr=1e-9), Run())
    assert found.report.measured[0].head == "model"
    torch.testing.assert_close(found.heads["mlm"].dense.weight, head.dense.weight, atol=1e-5, rtol=0)


def test_it_stops_when_held_out_texts_gain_no_more():
    noise = np.random.default_rng(1)
    texts = [" ".join(noise.choice(WORDS, 6)) for _ in range(60)]
    found = pretrain(texts, None, config(epochs=40, lr=1e-2, patience=1), Run())
    assert found.report.stopped == "patience"
    assert found.report.best_epoch < found.report.epochs < 40


def test_a_budget_of_seconds_ends_it():
    found = pretrain(round_dance(), None, config(epochs=10_000, max_seconds=0.3), Run())
    assert found.report.stopped == "seconds"


# Going on after an interruption


class Killed(Exception):
    """The process ends here."""


def until(epoch):
    def progress(stage, done, total):
        if (stage, done) == ("pretraining", epoch):
            raise Killed

    return progress


@pytest.mark.parametrize("start", ["nothing", "model"])
def test_an_interrupted_pretraining_ends_as_if_it_had_not_been(start, tmp_path):
    source = None
    if start == "model":
        source = tmp_path / "model"
        small_backbone("bert", dropout=0.2).save(source)
    settings = config(epochs=4, dropout=0.2)
    whole = pretrain(round_dance(), source, settings, Run(seed=3))
    keeping = Keeping(tmp_path / "kept", resume=True)
    for epoch in (1, 3):
        with pytest.raises(Killed):
            pretrain(round_dance(), source, settings, Run(seed=3, progress=until(epoch)), keeping=keeping)
    found = pretrain(round_dance(), source, settings, Run(seed=3), keeping=keeping)
    assert found.report.measured == whole.report.measured
    for name, value in weights(found).items():
        torch.testing.assert_close(value, weights(whole)[name], atol=0, rtol=0)
    keeping.remove()
    assert not keeping.begun
    assert not keeping.folder.exists()


def test_the_same_seed_gives_the_same_model_and_another_one_another():
    one, same, other = (weights(pretrain(round_dance(60), None, config(epochs=1), Run(seed=s))) for s in (1, 1, 2))
    assert all(torch.equal(value, same[name]) for name, value in one.items())
    assert any(not torch.equal(value, other[name]) for name, value in one.items())


def test_a_checkpoint_is_not_taken_for_another_pretraining(tmp_path):
    keeping = Keeping(tmp_path / "kept")
    with pytest.raises(Killed):
        pretrain(round_dance(60), None, config(), Run(progress=until(1)), keeping=keeping)
    with pytest.raises(ConfigError, match=r"A pretraining was interrupted in .*kept. Resume it, or remove that folder"):
        pretrain(round_dance(60), None, config(), Run(), keeping=keeping)
    again = Keeping(keeping.folder, resume=True)
    for texts, changes, seed in (
        (round_dance(50), {}, 0),
        (round_dance(60), {"lr": 1e-3}, 0),
        (round_dance(60), {}, 1),
    ):
        with pytest.raises(ConfigError, match="is of other texts, another source, seed or settings"):
            pretrain(texts, None, config(**changes), Run(seed=seed), keeping=again)
    (keeping.folder / STATE).write_bytes(b"{")
    with pytest.raises(StoreError, match=r"pretrain\.json is damaged"):
        pretrain(round_dance(60), None, config(), Run(), keeping=again)


# Texts


def test_the_same_text_is_always_on_the_same_side():
    texts = round_dance()
    corpus = corpus_of([*texts, texts[0], "", "  "], 0.2)
    assert set(corpus.train) | set(corpus.held) == set(texts)
    assert not set(corpus.train) & set(corpus.held)
    assert 0.1 < len(corpus.held) / len(texts) < 0.3
    fewer = corpus_of(texts[::2], 0.2)
    assert set(fewer.held) <= set(corpus.held)
    assert corpus.fingerprint != fewer.fingerprint


def test_two_texts_are_enough_to_have_both_sides():
    for share in (0.001, 0.999):
        corpus = corpus_of(["one", "two"], share)
        assert (len(corpus.train), len(corpus.held)) == (1, 1)
    with pytest.raises(DataError, match="There are 1 different texts, expected at least 2"):
        corpus_of(["one", "one", " "], 0.1)


def test_sentences_of_two_languages():
    assert sentences("A cat. A dog! 猫很好。狗呢？\nEnd") == ["A cat.", "A dog!", "猫很好。", "狗呢？", "End"]
    assert followers(["A cat. A dog. An owl.", "Alone"]) == [("A cat.", "A dog.", 0), ("A dog.", "An owl.", 0)]


def test_half_of_the_pairs_are_strangers_from_another_text():
    found = followers(chapters(320))
    pairs = paired(found, np.random.default_rng(0))
    true = {(first, second) for first, second, _ in found}
    assert 0.42 < np.mean([label for *_, label in pairs]) < 0.58
    assert all(((first, second) in true) == bool(label) for first, second, label in pairs)
    alone = followers(["A cat. A dog."])
    assert {label for *_, label in paired(alone * 20, np.random.default_rng(0))} == {1}


def test_words_are_hidden_in_the_stated_shares():
    rng = np.random.default_rng(0)
    ids = rng.integers(10, 500, size=(400, 50))
    may = rng.random(ids.shape) < 0.8
    read, told = hide(ids, may, None, Hiding(0.15, 4, np.arange(10, 500)), rng)
    asked = told != IGNORED
    assert (told[asked] == ids[asked]).all()
    assert not asked[~may].any()
    assert asked[may].mean() == pytest.approx(0.15, abs=0.01)
    assert (read[asked] == 4).mean() == pytest.approx(0.8, abs=0.03)
    assert (read[asked] == ids[asked]).mean() == pytest.approx(0.1, abs=0.03)
    assert (read[~asked] == ids[~asked]).all()


def test_whole_words_go_together():
    rng = np.random.default_rng(0)
    words = np.repeat(np.arange(20)[None].repeat(50, axis=0), 3, axis=1)
    ids = np.full(words.shape, 7)
    _, told = hide(ids, words >= 0, words, Hiding(0.3, 4, np.arange(10, 20)), rng)
    asked = (told != IGNORED).reshape(50, 20, 3)
    assert (asked.all(axis=2) == asked.any(axis=2)).all()
    assert 0.2 < asked.mean() < 0.4


def test_something_is_always_asked():
    ids = np.array([[5, 6, 7]])
    _, told = hide(
        ids, np.array([[False, True, False]]), None, Hiding(1e-9, 4, np.array([9])), np.random.default_rng(0)
    )
    assert told.tolist() == [[IGNORED, 6, IGNORED]]


def test_whole_words_are_an_option():
    found = pretrain(round_dance(60), None, config(whole_words=True, epochs=2), Run())
    assert found.report.measured[0].after < found.report.measured[0].before


def test_a_long_text_is_read_to_its_end():
    from inkling.language._pretrain_run import Reading

    backbone = small_backbone("bert")
    settings = config(max_tokens=8)
    rows = Reading(backbone, [" ".join(["sea tea"] * 12)], settings).rows
    assert len(rows) == 4
    assert all(len(ids) <= 8 for ids in rows.ids)


# Provenance


def test_texts_of_a_training_part_say_what_they_saw():
    data = checkerboard().data
    texts, learned = texts_of(data)
    assert learned is None
    assert len(texts) == sum(bool(text) for text in data.items.texts())
    said = np.full(len(data.interactions), None, dtype=object)
    said[0] = "I liked it"
    spoken = spoken_in(data, said)
    texts, learned = texts_of(spoken)
    assert texts[-1] == "I liked it"
    assert learned == Provenance(name="pretraining", trained_until=data.until, fingerprint=data.fingerprint)


def spoken_in(data, said):
    from dataclasses import replace

    return replace(data, interactions=replace(data.interactions, texts=said))


def test_what_was_learned_stands_on_the_card(tmp_path):
    learned = Provenance(name="pretraining", trained_until=7, fingerprint="abc")
    found = pretrain(round_dance(60), None, config(epochs=1), Run(), learned=learned)
    found.save(tmp_path / "model")
    assert load_backbone(tmp_path / "model").card.learned == (learned,)


# Errors


@pytest.mark.parametrize(("changes", "message"), [
    ({"objectives": []}, "objectives is empty, expected mlm, clm or nsp"),
    ({"objectives": ["mlm", "mlm"]}, "objectives names one twice"),
    ({"n_heads": 5}, "dim 32 is not divided by n_heads 5"),
    ({"kind": "gpt2"}, "mlm: a gpt2 reads from left to right. Use the objective clm"),
    ({"objectives": ["clm"]}, "clm: a bert sees the words that it would have to foretell"),
])  # fmt: skip
def test_settings_that_do_not_fit_are_refused(changes, message):
    with pytest.raises(ConfigError, match=message):
        pretrain(round_dance(20), None, config(**changes), Run())


def test_more_tokens_than_positions_are_refused(tmp_path):
    small_backbone("bert").save(tmp_path / "model")
    with pytest.raises(ConfigError, match="max_tokens is 64, but the model has positions for 48"):
        pretrain(round_dance(20), tmp_path / "model", config(max_tokens=64), Run())


def test_pairs_need_sentences():
    with pytest.raises(DataError, match="nsp: no text has two sentences"):
        pretrain(round_dance(20), None, config(objectives=["nsp"]), Run())


def test_a_tokenizer_without_a_mask_hides_nothing():
    backbone = small_backbone("bert")
    backbone.tokenizer.mask_token = None
    assert mask_id(backbone.tokenizer) is None
    with pytest.raises(ConfigError, match="mlm: the tokenizer has no token that hides others"):
        check_objective(backbone, "mlm")
    sentinel = small_backbone("t5")
    sentinel.tokenizer.mask_token = None
    assert mask_id(sentinel.tokenizer) == sentinel.tokenizer.get_vocab()["<extra_id_0>"]


def test_what_is_not_installed_is_named(monkeypatch):
    def without(name):
        raise ImportError(name)

    monkeypatch.setattr(_backbone_folder, "import_module", without)
    with pytest.raises(MissingExtraError, match="Pretraining needs torch"):
        pretrain(round_dance(20), None, config(), Run())


def test_the_place_of_something_else_is_not_taken(tmp_path):
    found = pretrain(round_dance(20), None, config(epochs=1), Run())
    (tmp_path / "dear.txt").write_text("dear")
    with pytest.raises(BundleError, match="exists already and holds something else"):
        found.save(tmp_path)


def test_a_tokenizer_needs_something_to_read():
    from inkling.language._pretrain_start import FreshConfig, fresh_backbone

    with pytest.raises(DataError, match="The texts hold nothing to read"):
        fresh_backbone(["", " "], FreshConfig())

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="pruning needs torch")
pytest.importorskip("transformers", reason="and transformers")

import torch

from inkling.compression._prune_importance import energy, taylor
from inkling.compression._prune_layout import copied, inside, keep_blocks, n_inside, spread
from inkling.compression.prune import PruneConfig, Recovery, _kept, cut, prune, read_lessons
from inkling.compression.quantize import quantize
from inkling.core.errors import BundleError, ConfigError
from inkling.core.run import Run
from inkling.encoders._backbone_shapes import blocks, narrow, note, sizes
from inkling.encoders.backbone import load_backbone
from inkling.encoders.exported import ExportedEncoder, export_backbone
from inkling.language._pretrain_start import FreshConfig, fresh_backbone
from inkling.testing.backbones import TEXTS, small_backbone

SMALL = PruneConfig(multiple=4, n_texts=8)


@pytest.fixture(scope="module")
def bert():
    """Return four layers of four heads and 128 units, in which one head and half of the units of a layer do nothing."""
    shape = FreshConfig(dim=32, n_layers=4, n_heads=4, n_tokens=400, max_tokens=48, dropout=0.0)
    made = fresh_backbone(TEXTS * 3, shape)
    with torch.no_grad():
        for block in blocks(made.model):  # untrained blocks hardly move their input
            block.attention.output.dense.weight.mul_(20)
            block.output.dense.weight.mul_(20)
        second = blocks(made.model)[1]
        second.attention.output.dense.weight[:, 8:16] = 0
        second.output.dense.weight[:, ::2] = 0
    return made


def vectors(backbone):
    with torch.no_grad():
        return backbone.vectors(backbone.tokens(TEXTS)).numpy()


@pytest.mark.parametrize("kind", ["bert", "roberta", "ernie"])
def test_taking_out_all_that_does_nothing_changes_nothing(kind):
    made = small_backbone(kind)
    with torch.no_grad():
        first = blocks(made.model)[0]
        first.attention.output.dense.weight[:, :16] = 0
        first.output.dense.weight[:, 10:] = 0
    before = vectors(made)
    narrow(first, [1], range(10))
    assert sizes(first) == (1, 10)
    np.testing.assert_allclose(vectors(made), before, atol=1e-6)


@pytest.mark.parametrize("importance", [taylor, energy])
def test_importance_finds_what_does_nothing(bert, importance):
    ids = bert.token_ids(TEXTS)
    arguments = (Run(),) if importance is taylor else ()
    worth = importance(bert, blocks(bert.model), ids, *arguments)
    heads, units = worth[1]
    assert heads[1] == 0
    assert (units[::2] == 0).all()
    assert (np.delete(heads, 1) > 0).all()
    assert (units[1::2] > 0).all()
    assert all((each > 0).all() for row, pair in enumerate(worth) if row != 1 for each in pair)


def test_taylor_is_the_change_of_the_vector(bert):
    """The slow twin: the derivative by a head's factor, number by number of the vector, by differences."""
    ids = bert.token_ids(TEXTS[:1])
    found = taylor(bert, blocks(bert.model), ids * 1000, Run())[0][0]
    door, step = blocks(bert.model)[0].attention.output.dense, 1e-2
    for head in range(4):
        moved = []
        for factor in (1 - step, 1 + step):
            scale = torch.ones(32)
            scale[8 * head : 8 * head + 8] = factor
            hook = door.register_forward_pre_hook(lambda module, given, scale=scale: (given[0] * scale,))
            with torch.no_grad():
                moved.append(bert.vectors(bert.padded(ids)))
            hook.remove()
        slope = (moved[1] - moved[0]) / (2 * step)
        assert found[head] == pytest.approx(float(slope.square().sum()), rel=0.2)


def test_structured_pruning_shrinks_what_is_exported(bert, tmp_path):
    before = bert.fingerprint
    small, step = prune(bert, 0.3, texts=TEXTS, config=SMALL)
    assert bert.fingerprint == before
    assert n_inside(small.model) <= 0.7 * n_inside(bert.model)
    assert sizes(blocks(small.model)[1])[1] <= 64
    assert step.method == "pruned"
    assert step.parameters == sum(p.numel() for p in small.model.parameters())
    assert "of the blocks' parameters are gone" in step.note
    export_backbone(bert, tmp_path / "whole")
    export_backbone(small, tmp_path / "small")
    assert (tmp_path / "small" / "model.onnx").stat().st_size < (tmp_path / "whole" / "model.onnx").stat().st_size
    np.testing.assert_allclose(ExportedEncoder(tmp_path / "small").encode(TEXTS), vectors(small), atol=1e-4)


def test_fused_attention_has_the_heads_that_stayed(bert, tmp_path):
    small = copied(bert)
    narrow(blocks(small.model)[0], [0, 2, 3], range(64))
    narrow(blocks(small.model)[2], [1], range(96))
    found = quantize(small, tmp_path / "small", method="float32").encode(TEXTS)
    np.testing.assert_allclose(found, vectors(small), atol=2e-6)


def test_a_pruned_model_is_saved_and_loaded(bert, tmp_path):
    small, _ = prune(bert, 0.4, texts=TEXTS, config=SMALL)
    small.save(tmp_path / "own")
    again = load_backbone(tmp_path / "own")
    assert [sizes(block) for block in blocks(again.model)] == [sizes(block) for block in blocks(small.model)]
    assert again.fingerprint == small.fingerprint
    np.testing.assert_allclose(vectors(again), vectors(small), atol=1e-6)


def test_a_pruned_folder_whose_shapes_do_not_fit_is_refused(bert, tmp_path):
    small = copied(bert)
    narrow(blocks(small.model)[0], [0, 1], range(16))
    note(small.model)
    small.model.config.inkling_kept[0] = [2, 20]
    small.save(tmp_path / "own")
    with pytest.raises(BundleError, match="could not be loaded as a pruned language model"):
        load_backbone(tmp_path / "own")
    (tmp_path / "own" / "model.safetensors").unlink()
    with pytest.raises(BundleError, match="could not be loaded as a pruned language model"):
        load_backbone(tmp_path / "own")


def test_whole_layers_go_where_they_matter_least(bert):
    idle = copied(bert)
    with torch.no_grad():
        block = blocks(idle.model)[2]
        for dense in (block.attention.output.dense, block.output.dense):
            dense.weight.zero_()
            dense.bias.zero_()
    small, _ = prune(idle, 0.2, method="layers", texts=TEXTS, config=SMALL)
    assert small.model.config.num_hidden_layers == 3
    np.testing.assert_allclose(vectors(small), vectors(idle), atol=1e-4)


@pytest.mark.parametrize("kind", ["deberta-v2", "t5", "gpt2", "qwen3", "xlnet"])
def test_other_architectures_lose_layers_or_weights_but_no_heads(kind, tmp_path):
    made = small_backbone(kind)
    with pytest.raises(ConfigError, match=f"A {kind} is not laid out as BERT is"):
        prune(made, 0.3, texts=TEXTS)
    small, _ = prune(made, 0.3, method="layers", texts=TEXTS)
    assert n_inside(small.model) < 0.7 * n_inside(made.model)
    export_backbone(small, tmp_path / "small")
    small.save(tmp_path / "saved")
    np.testing.assert_allclose(vectors(load_backbone(tmp_path / "saved")), vectors(small), atol=1e-6)


@pytest.mark.parametrize("kind", ["bert", "gpt2"])
def test_magnitude_sets_the_least_weights_to_zero_and_they_stay(kind):
    made = small_backbone(kind)
    lessons = read_lessons(made, TEXTS)
    config = PruneConfig(recovery=Recovery(epochs=2, batch_items=8, learning_rate=1e-3))
    bare, _ = prune(made, 0.5, method="magnitude", texts=TEXTS, config=config)
    back, step = prune(made, 0.5, method="magnitude", texts=TEXTS, recover=lessons, config=config)
    zeros = [int((p == 0).sum()) for model in (bare.model, made.model) for p in inside(model)]
    assert sum(zeros[: len(zeros) // 2]) - sum(zeros[len(zeros) // 2 :]) >= 0.49 * n_inside(made.model)
    for one, other in zip(bare.model.parameters(), back.model.parameters(), strict=True):
        if one.dim() == 2 and (one == 0).float().mean() > 0.4:
            assert (other[one == 0] == 0).all()
    assert "passes" in step.note


def test_a_weight_counts_by_what_it_is_multiplied_with():
    made = small_backbone("bert")
    block = blocks(made.model)[0]
    with torch.no_grad():
        block.output.dense.weight.fill_(1.0)
        block.intermediate.dense.weight[:64].zero_()
        block.intermediate.dense.bias[:64].zero_()  # these units are always at zero
    small, _ = prune(made, 0.3, method="magnitude", texts=TEXTS)
    left = blocks(small.model)[0].output.dense.weight != 0
    assert left[:, 64:].float().mean() > left[:, :64].float().mean() + 0.3


def test_recovery_comes_nearer_to_what_was(bert):
    lessons = read_lessons(bert, TEXTS)
    config = PruneConfig(multiple=4, recovery=Recovery(epochs=12, held_out=0.0, batch_items=8, learning_rate=1e-3))
    bare, _ = prune(bert, 0.6, texts=TEXTS, config=config)
    back, step = prune(bert, 0.6, texts=TEXTS, recover=lessons, config=config)
    near = [(vectors(one) * lessons.vectors).sum(axis=1).mean() for one in (bare, back)]
    assert near[1] > near[0] + 0.01
    assert "passes" in step.note


def test_equal_seeds_prune_alike(bert):
    found = [prune(bert, 0.3, texts=TEXTS, run=Run(seed=3), config=SMALL)[0].fingerprint for _ in range(2)]
    assert found[0] == found[1]


def test_units_stay_in_good_numbers(bert):
    small = copied(bert)
    cut(small, 0.3, TEXTS, Run(), PruneConfig(multiple=16, n_texts=8))
    assert all(units % 16 == 0 for _, units in map(sizes, blocks(small.model)))


def test_what_is_worth_least_for_its_price_goes_first():
    worth = [(np.array([5.0, 9.0], np.float32), np.array([1.0, 0.1, 2.0, 3.0], np.float32))]
    config = PruneConfig(multiple=1)
    heads, units = _kept(worth, [(10, 1)], 1, config)[0]
    assert (heads.tolist(), units.tolist()) == ([0, 1], [0, 2, 3])
    heads, units = _kept(worth, [(10, 1)], 11, config)[0]
    assert (heads.tolist(), units.tolist()) == ([1], [0, 2, 3])


def test_layers_are_spread_evenly(bert):
    assert [spread(bert.model, n) for n in (1, 2, 4)] == [(3,), (1, 3), (0, 1, 2, 3)]
    assert spread(small_backbone("t5").model, 1) == (0,)
    with pytest.raises(ConfigError, match="A student of 5 layers cannot be cut from 4"):
        spread(bert.model, 5)


@pytest.mark.parametrize("kept", [[], [1, 0], [0, 0], [0, 4]])
def test_layers_that_are_not_there_are_refused(bert, kept):
    with pytest.raises(ConfigError, match="cannot be kept of 4"):
        keep_blocks(copied(bert).model, kept)


def test_the_first_layer_of_t5_stays():
    with pytest.raises(ConfigError, match="first layer of a t5 cannot go"):
        keep_blocks(small_backbone("t5").model, [1])


@pytest.mark.parametrize(
    ("share", "settings", "message"),
    [
        (0.0, {}, "share is 0.0, expected above 0 and below 1"),
        (0.3, {"method": "layer"}, "no method 'layer'"),
        (0.3, {"texts": [" "]}, "no text to measure importance on"),
        (0.9, {"config": PruneConfig(most=0.2, n_texts=4)}, "only .* parameters can go"),
        (0.9, {"method": "layers"}, "cannot go"),
        (0.99, {"method": "magnitude"}, "only matrices are set to zero"),
    ],
)
def test_what_cannot_be_is_told(bert, share, settings, message):
    with pytest.raises(ConfigError, match=message):
        prune(bert, share, **{"texts": TEXTS, **settings})


def test_a_network_without_blocks_is_told(bert):
    made = copied(bert)
    made.model.encoder.layer = torch.nn.ModuleList()
    with pytest.raises(ConfigError, match="The blocks of a BertModel are not found"):
        prune(made, 0.3, method="layers", texts=TEXTS)

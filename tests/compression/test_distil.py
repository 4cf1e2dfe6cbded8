from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("torch", reason="distilling needs torch")
pytest.importorskip("transformers", reason="and transformers")

import torch

from inkling.compression import distil as module
from inkling.compression._distil_lessons import behaviour
from inkling.compression._distil_net import Student, _nearest, main_directions
from inkling.compression._distil_static import solved
from inkling.compression.distil import DistilConfig, StaticConfig, TeachConfig, distil, distil_static, read_lessons
from inkling.core.errors import ConfigError, DataError
from inkling.core.run import Run
from inkling.encoders import open_encoder
from inkling.encoders._backbone_shapes import blocks
from inkling.encoders.backbone import load_backbone
from inkling.encoders.base import Encoder
from inkling.encoders.exported import ExportedEncoder, export_backbone
from inkling.encoders.hashing import HashingEncoder
from inkling.language._adapt_lessons import Pairs
from inkling.language._adapt_net import Step, View
from inkling.language._pretrain_start import FreshConfig, fresh_backbone
from inkling.testing.backbones import TEXTS, small_backbone
from inkling.testing.worlds import Happening, dataset

QUICK = DistilConfig(epochs=2, batch_items=8, learning_rate=1e-3, held_out=0.0)
TABLE = StaticConfig(dim=16, epochs=2, batch_items=8, learning_rate=1e-2, held_out=0.0)


@pytest.fixture(scope="module")
def teacher():
    shape = FreshConfig(dim=32, n_layers=4, n_heads=4, n_tokens=400, max_tokens=48, dropout=0.0)
    made = fresh_backbone(TEXTS * 3, shape)
    with torch.no_grad():
        for block in blocks(made.model):  # untrained blocks hardly move their input
            block.attention.output.dense.weight.mul_(20)
            block.output.dense.weight.mul_(20)
    return made


@pytest.fixture(scope="module")
def lessons(teacher):
    return read_lessons(teacher, TEXTS)


def pairs_of_words(n=60):
    """Return a world of 12 items in which every person goes on from 2k to 2k + 1; no word tells it."""
    words = ("mug", "train", "sea", "tea", "film", "novel", "coffee", "cup", "hills", "winter", "friends", "beans")
    rng, events = np.random.default_rng(0), []
    for user in range(n):
        for place, group in enumerate(rng.permutation(6)[:3].tolist()):
            events += [Happening(user, 2 * group, 3 * place), Happening(user, 2 * group + 1, 3 * place + 1)]
    return dataset(events, shape=(n, 12), texts=words)


def vectors(backbone, texts=TEXTS):
    with torch.no_grad():
        return backbone.vectors(backbone.tokens(texts)).numpy()


# -- a shallower student ---------------------------------------------------------------------------------------------


def test_a_student_begins_as_some_of_the_teachers_layers(teacher, lessons):
    before = teacher.fingerprint
    still = DistilConfig(epochs=1, batch_items=16, learning_rate=1e-12, held_out=0.0, layers=(0, 3))
    student, step = distil(teacher, lessons, still)
    assert teacher.fingerprint == before
    assert student.model.config.num_hidden_layers == 2
    for own, theirs in ((0, 0), (1, 3)):
        expected = teacher.model.encoder.layer[theirs].output.dense.weight
        np.testing.assert_allclose(student.model.encoder.layer[own].output.dense.weight.detach(), expected.detach())
    assert (step.method, step.settings["layers"], step.settings["n_layers"]) == ("student", [0, 3], 2)
    assert step.parameters == sum(p.numel() for p in student.model.parameters())


def test_lessons_bring_it_nearer_to_the_teacher(teacher, lessons):
    config = DistilConfig(epochs=12, batch_items=8, learning_rate=1e-3, held_out=0.0)
    student, step = distil(teacher, lessons, config, n_layers=1)
    bare, _ = distil(teacher, lessons, DistilConfig(epochs=1, learning_rate=1e-12, held_out=0.0), n_layers=1)
    near = [1 - (vectors(one) * lessons.vectors).sum(axis=1).mean() for one in (bare, student)]
    assert near[1] < 0.7 * near[0]
    assert step.settings["layers"] == [3]
    assert "12 passes" in step.note


def test_it_is_exported_and_saved_like_any_model(teacher, lessons, tmp_path):
    student, _ = distil(teacher, lessons, QUICK, n_layers=2)
    export_backbone(student, tmp_path / "small")
    np.testing.assert_allclose(ExportedEncoder(tmp_path / "small").encode(TEXTS), vectors(student), atol=1e-4)
    student.save(tmp_path / "saved")
    assert load_backbone(tmp_path / "saved").fingerprint == student.fingerprint


def test_a_narrow_student_has_fewer_units(teacher, lessons):
    whole, _ = distil(teacher, lessons, QUICK, n_layers=2)
    config = DistilConfig(epochs=1, batch_items=16, held_out=0.0, narrow=0.3)
    narrow, _ = distil(teacher, lessons, config, n_layers=2)
    sizes = [sum(p.numel() for p in one.model.encoder.layer.parameters()) for one in (whole, narrow)]
    assert sizes[1] <= 0.7 * sizes[0]


@pytest.mark.parametrize("kind", ["gpt2", "t5", "qwen3", "xlnet", "deberta-v2"])
def test_other_architectures_are_distilled(kind):
    teacher = small_backbone(kind)
    student, _ = distil(teacher, read_lessons(teacher, TEXTS), QUICK, n_layers=1)
    assert student.model.config.num_hidden_layers == 1
    assert np.isfinite(vectors(student)).all()


@pytest.mark.parametrize("width", [16, 64])
def test_a_teacher_of_another_width_teaches_neighbourhoods(teacher, width):
    lessons = read_lessons(HashingEncoder(width), TEXTS)
    student, _ = distil(teacher, lessons, QUICK, n_layers=1)
    assert vectors(student).shape == (len(TEXTS), 32)


def test_equal_seeds_learn_alike_and_others_do_not(teacher, lessons):
    found = [distil(teacher, lessons, QUICK, n_layers=1, run=Run(seed=seed))[0].fingerprint for seed in (1, 1, 2)]
    assert found[0] == found[1] != found[2]


def test_it_tells_of_progress(teacher, lessons):
    told = []
    distil(teacher, lessons, QUICK, n_layers=1, run=Run(progress=lambda *one: told.append(one)))
    assert told == [("distil", 0, 2), ("distil", 1, 2), ("distil", 2, 2)]


def test_it_stops_when_held_out_texts_do_not_gain(teacher, lessons):
    config = DistilConfig(epochs=40, batch_items=8, learning_rate=1e-12, patience=1, held_out=0.3)
    _, step = distil(teacher, lessons, config, n_layers=2)
    assert "2 passes" in step.note
    assert "stopped by patience" in step.note
    assert "share of the teacher's ten nearest" in step.note


def test_mixed_precision_reaches_the_network(teacher, lessons):
    plain, mixed = (
        distil(teacher, lessons, DistilConfig(epochs=1, batch_items=8, held_out=0.0, bf16=bf16), n_layers=1)[0]
        for bf16 in (False, True)
    )
    assert plain.fingerprint != mixed.fingerprint
    np.testing.assert_allclose(vectors(plain), vectors(mixed), atol=0.05)


# -- the objectives --------------------------------------------------------------------------------------------------


def _student(lessons, **settings):
    table = torch.nn.Parameter(torch.from_numpy(lessons.vectors.copy()))
    inner = torch.nn.Module()
    inner.table = table
    targets = torch.from_numpy(lessons.vectors)
    read = lambda rows: torch.nn.functional.normalize(table[torch.from_numpy(rows)], dim=-1)  # noqa: E731
    return Student(inner, read, lessons, TeachConfig(**settings), targets)


def _step(fresh, others):
    """Return a step without choices."""
    none = np.zeros(0, np.int32)
    pairs = Pairs(none, none.reshape(0, 1), none, none.astype(bool), none.astype(np.float32))
    hits = np.zeros((0, len(fresh) + len(others)), bool)
    rows = (np.array(each, np.int64) for each in (fresh, others))
    return Step(*rows, pairs, hits, none.astype(np.int64), none.astype(np.float32), 1.0)


def test_who_is_the_teacher_has_nothing_to_learn(lessons):
    student = _student(lessons)
    loss = student.loss(_step(range(4), range(4, 13)))
    assert loss.item() == pytest.approx(0, abs=1e-5)


def test_neighbours_are_a_divergence_between_softmaxes(lessons):
    """The obvious twin, text by text."""
    student = _student(lessons, sharpness=5.0, vectors=0.0, choices=0.0)
    with torch.no_grad():
        student.inner.table.add_(
            torch.randn(student.inner.table.shape, generator=torch.Generator().manual_seed(0)) * 0.2
        )
        student.bank = student.read(np.arange(13))
    own, theirs = student.bank.numpy(), lessons.vectors
    expected = []
    for row in range(4):
        others = [one for one in range(13) if one != row]
        p, q = (np.exp(5.0 * v[others] @ v[row]) for v in (theirs, own))
        p, q = p / p.sum(), q / q.sum()
        expected.append((p * np.log(p / q)).sum())
    found = student.loss(_step(range(4), range(4, 13)))
    assert found.item() == pytest.approx(np.mean(expected), rel=1e-4)


def test_the_teachers_nearest_are_always_looked_at(lessons):
    student = _student(lessons, vectors=0.0, choices=0.0)
    with torch.no_grad():
        student.bank = torch.nn.functional.normalize(student.bank.flip(0), dim=-1)
    alone = student.loss(_step(range(1), range(0))).item()
    student.near = _nearest(student.teacher, np.arange(13), 5)
    assert alone == pytest.approx(0, abs=1e-6)
    assert student.loss(_step(range(1), range(0))).item() > 0.01


def test_nearest_leaves_a_text_itself_out(lessons):
    found = _nearest(torch.from_numpy(lessons.vectors), np.array([3, 7]), 4)
    scores = lessons.vectors[[3, 7]] @ lessons.vectors.T
    scores[[0, 1], [3, 7]] = -9
    np.testing.assert_array_equal(found, np.argsort(-scores, axis=1)[:, :4])


def test_a_taste_is_the_fading_mean(lessons):
    student = _student(lessons, fade=0.5)
    view = View(student.bank, np.empty(0, np.int64), student.bank[:0])
    found = student.taste(view, np.array([[2, 5, -1]], np.int32))[0].numpy()
    expected = lessons.vectors[2] + 0.5 * lessons.vectors[5]
    np.testing.assert_allclose(found, expected / np.linalg.norm(expected), atol=1e-6)


def test_main_directions_are_those_of_the_covariance():
    rng = np.random.default_rng(0)
    data = (rng.normal(size=(200, 5)) * [5, 4, 0.1, 0.1, 0.1] + 3).astype(np.float32)
    mean, axes = main_directions(data, 2)
    rest = (data - mean) - (data - mean) @ axes @ axes.T
    assert np.abs(rest).max() < 1


# -- a static table --------------------------------------------------------------------------------------------------


def test_the_regression_is_ridge_regression():
    rng = np.random.default_rng(0)
    ids = [rng.integers(0, 9, size=rng.integers(1, 5)).tolist() for _ in range(40)]
    first = rng.normal(size=(9, 3)).astype(np.float32)
    targets = rng.normal(size=(40, 3)).astype(np.float32)
    bags = np.stack([np.bincount(each, minlength=9) for each in ids])
    scaled = bags / np.linalg.norm(bags @ first, axis=1, keepdims=True)
    rest = targets - scaled @ first
    expected = first + np.linalg.solve(scaled.T @ scaled + 0.7 * np.eye(9), scaled.T @ rest)
    np.testing.assert_allclose(solved(first, ids, targets, 0.7), expected, atol=1e-3)


def test_a_table_is_an_encoder_that_meets_the_teacher(teacher, tmp_path):
    lessons = read_lessons(HashingEncoder(64), TEXTS)
    config = StaticConfig(dim=16, epochs=10, batch_items=13, pull=0.05, dropout=0.0, held_out=0.0)
    table, step = distil_static(teacher, lessons, config)
    assert isinstance(table, Encoder)
    assert table.encode(TEXTS).shape == (len(TEXTS), 16)
    likeness = [each @ each.T for each in (table.encode(TEXTS), lessons.vectors)]
    assert np.corrcoef(likeness[0].ravel(), likeness[1].ravel())[0, 1] > 0.8
    table.save(tmp_path / "own")
    opened = open_encoder(str(tmp_path / "own"))
    assert opened.fingerprint == table.fingerprint
    np.testing.assert_array_equal(opened.encode(TEXTS), table.encode(TEXTS))
    assert step.method == "static"
    assert step.bytes == sum(path.stat().st_size for path in (tmp_path / "own").iterdir())
    assert step.parameters <= table.table.size


def test_serving_a_table_needs_neither_torch_nor_onnx(teacher, lessons, tmp_path):
    distil_static(teacher, lessons, TABLE)[0].save(tmp_path / "own")
    code = (
        "import sys; from inkling.encoders import open_encoder;"
        f"assert open_encoder({str(tmp_path / 'own')!r}).encode(['a red mug']).any();"
        "sys.exit(','.join({'torch', 'transformers', 'onnxruntime', 'scipy'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.stderr.strip() == ""


def test_what_is_chosen_next_comes_together():
    """Words of a pair share nothing; only what people did brings them together."""
    data, teacher = pairs_of_words(), small_backbone("bert")
    lessons = read_lessons(HashingEncoder(64), data=data)
    learned = StaticConfig(dim=32, epochs=15, batch_items=12, choices=1.0, neighbours=0.1, vectors=0.1, dropout=0.0,
                           learning_rate=2e-2, held_out=0.0)  # fmt: skip
    blind = StaticConfig(dim=32, epochs=2, batch_items=12, choices=0.0, dropout=0.0, held_out=0.0)
    ranks = []
    for config in (learned, blind):
        vectors = distil_static(teacher, lessons, config)[0].encode(lessons.texts)
        scores = vectors @ vectors.T
        np.fill_diagonal(scores, -2)
        ranks.append(float(np.mean([(scores[2 * g] > scores[2 * g, 2 * g + 1]).sum() for g in range(6)])))
    assert ranks[0] < 0.5
    assert ranks[1] > 2


def test_a_student_learns_what_is_chosen_next():
    teacher = small_backbone("bert")
    data = pairs_of_words()
    config = DistilConfig(epochs=20, batch_items=12, choices=1.0, neighbours=0.0, vectors=0.0, learning_rate=3e-3,
                          held_out=0.0, schedule="constant")  # fmt: skip
    lessons = read_lessons(teacher, data=data)
    student, _ = distil(teacher, lessons, config, n_layers=1)
    found = vectors(student, lessons.texts)
    scores = found @ found.T
    np.fill_diagonal(scores, -2)
    assert np.mean([(scores[2 * g] > scores[2 * g, 2 * g + 1]).sum() for g in range(6)]) < 1


def test_what_saw_events_says_so(tmp_path):
    data, teacher = pairs_of_words(), small_backbone("bert")
    lessons = read_lessons(teacher, data=data)
    assert (lessons.learned[0].trained_until, lessons.learned[0].fingerprint) == (data.until, data.fingerprint)
    student, _ = distil(teacher, lessons, QUICK, n_layers=1)
    assert student.card.learned == lessons.learned
    table, _ = distil_static(teacher, lessons, TABLE)
    table.save(tmp_path / "own")
    assert open_encoder(str(tmp_path / "own")).about.learned == lessons.learned
    assert read_lessons(teacher, TEXTS).learned == ()


def test_people_who_are_held_out_tell_when_to_stop():
    data, teacher = pairs_of_words(300), small_backbone("bert")
    _, step = distil_static(teacher, read_lessons(teacher, data=data), StaticConfig(dim=16, epochs=2, batch_items=12))
    assert "ndcg@10 of held out choices" in step.note


def test_tokens_that_the_catalogue_has_not_are_still_read(teacher):
    lessons = read_lessons(teacher, [text for text in TEXTS if "mug" not in text])
    table, _ = distil_static(teacher, lessons, TABLE)
    assert table.encode(["mug"]).any()
    assert table.served.unknown_share(["mug"]).tolist() == [0]
    small, _ = distil_static(teacher, lessons, StaticConfig(dim=16, epochs=1, held_out=0.0, unseen=False))
    assert small.served.unknown_share(["mug", "a red cup"]).tolist() == [1, 0]


def test_any_encoder_teaches_a_table():
    table, _ = distil_static(HashingEncoder(64), read_lessons(HashingEncoder(64), TEXTS), TABLE)
    assert table.encode(["a red mug"]).shape == (1, 16)


def test_an_exported_model_lends_its_tokenizer(teacher, lessons, tmp_path):
    export_backbone(teacher, tmp_path / "whole")
    encoder = ExportedEncoder(tmp_path / "whole")
    table, _ = distil_static(encoder, read_lessons(encoder, TEXTS), TABLE)
    assert len(table.table) == teacher.tokenizer.vocab_size


def test_equal_seeds_give_equal_tables(teacher, lessons):
    found = [distil_static(teacher, lessons, TABLE, run=Run(seed=seed))[0].fingerprint for seed in (1, 1, 2)]
    assert found[0] == found[1] != found[2]


# -- what cannot be --------------------------------------------------------------------------------------------------


def test_too_few_texts_are_told(teacher):
    with pytest.raises(DataError, match="at least 4 different texts; there are 1"):
        read_lessons(teacher, ["a", "a", " "])


def test_no_objective_is_told():
    with pytest.raises(ConfigError, match="no objective has a weight"):
        TeachConfig(neighbours=0, vectors=0, choices=0)


def test_more_layers_than_there_are_is_told(teacher, lessons):
    with pytest.raises(ConfigError, match="A student of 9 layers cannot be cut from 4"):
        distil(teacher, lessons, n_layers=9)


def test_without_events_nobody_chose(lessons):
    found = behaviour(lessons, TeachConfig().behaviour, Run())
    assert (len(found.pairs), len(found.held), found.n_texts) == (0, 0, len(TEXTS))


def test_the_folder_imports_without_torch():
    code = f"import sys, {module.__name__}, inkling.compression.prune; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

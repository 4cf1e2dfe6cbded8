from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

pytest.importorskip("torch", reason="language models are loaded with torch")
pytest.importorskip("transformers", reason="transformers knows their architectures")

import torch
import transformers

from inkling.core.errors import BundleError, ConfigError, MissingExtraError, NotFoundError, RequestError
from inkling.encoders import _backbone_folder
from inkling.encoders._backbone_card import max_length, read_card, width
from inkling.encoders._backbone_folder import files_fingerprint, model_folder, packaged_minilm, write_whole
from inkling.encoders.backbone import CARD, BackboneEncoder, ModelCard, load_backbone
from inkling.encoders.sentence import SentenceEncoder
from inkling.protocol.leaks import Provenance
from inkling.testing.backbones import KINDS, TEXTS, small_backbone
from inkling.testing.encoders import EncoderContract

WITH_MINILM = pytest.mark.skipif(packaged_minilm() is None, reason="the package with MiniLM's weights is not installed")
PLACED = ("bert", "ernie", "t5", "gpt2", "qwen2", "qwen3", "xlnet")  # positions are counted or relative


@pytest.fixture(scope="module")
def made():
    """Return one small model of each kind, never changed."""
    return {kind: small_backbone(kind) for kind in KINDS}


@pytest.fixture(scope="module")
def folders(made, tmp_path_factory):
    place = tmp_path_factory.mktemp("backbones")
    for kind, backbone in made.items():
        backbone.save(place / kind)
    return place


def vectors(backbone, texts=TEXTS, **how):
    with torch.no_grad():
        return backbone.vectors(backbone.tokens(texts, **how)).numpy()


@WITH_MINILM
class TestContract(EncoderContract):
    name = "backbone"


@pytest.mark.parametrize("kind", KINDS)
def test_a_saved_model_comes_back_the_same(kind, made, folders):
    loaded = load_backbone(folders / kind)
    assert (loaded.kind, loaded.dim, loaded.card) == (kind, 32, made[kind].card)
    assert loaded.fingerprint == made[kind].fingerprint
    assert loaded.tokenizer.model_input_names == made[kind].tokenizer.model_input_names
    np.testing.assert_allclose(vectors(loaded), vectors(made[kind]), atol=1e-6)
    files = {path.name for path in (folders / kind).iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json", CARD} <= files
    assert not [name for name in files if name.endswith((".bin", ".pt", ".pkl"))]


@pytest.mark.parametrize("pooling", ["mean", "cls", "last"])
@pytest.mark.parametrize("kind", KINDS)
def test_pooling_is_that_of_one_text_without_padding(kind, pooling, made):
    backbone = made[kind]
    other = type(backbone)(backbone.model, backbone.tokenizer, ModelCard(pooling=pooling, max_tokens=40))
    found = vectors(other)
    for row, text in enumerate(TEXTS):
        ids = torch.tensor([backbone.tokenizer(text, truncation=True, max_length=40)["input_ids"]])
        with torch.no_grad():
            hidden = backbone.model(input_ids=ids).last_hidden_state[0]
        expected = {"mean": hidden.mean(dim=0), "cls": hidden[0], "last": hidden[-1]}[pooling].numpy()
        np.testing.assert_allclose(found[row], expected / np.linalg.norm(expected), atol=2e-6)


@pytest.mark.parametrize("kind", PLACED)
def test_padding_may_stand_on_the_left(kind, made):
    backbone = made[kind]
    batch = backbone.tokens(TEXTS)
    left = {name: torch.zeros_like(value) for name, value in batch.items()}
    for row, size in enumerate(batch["attention_mask"].sum(dim=1).tolist()):
        for name, value in batch.items():
            left[name][row, -size:] = value[row, :size]
    with torch.no_grad():
        found = backbone.vectors(left).numpy()
    np.testing.assert_allclose(found, vectors(backbone), atol=2e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_it_learns(kind, made):
    backbone = small_backbone(kind, seed=3)
    optimizer = torch.optim.Adam(backbone.model.parameters(), lr=3e-3)
    batch, losses = backbone.tokens(["a red mug", "绿茶", "the sea in winter"]), []
    for _ in range(10):
        first, second, third = backbone.vectors(batch)
        loss = first @ third - first @ second
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0] - 0.02
    assert backbone.fingerprint != made[kind].fingerprint


@pytest.mark.parametrize("kind", KINDS)
def test_a_text_with_nothing_to_read_is_zeros_and_disturbs_nobody(kind, made):
    backbone = made[kind]
    found = vectors(backbone, ["", "a red mug", " \n "])
    assert not found[[0, 2]].any()
    np.testing.assert_allclose(found[1], vectors(backbone, ["a red mug"])[0], atol=2e-6)
    assert vectors(backbone, [""]).shape == (1, 32)
    assert vectors(backbone, []).shape == (0, 32)
    other = type(backbone)(backbone.model, backbone.tokenizer, ModelCard(prefix="a film: "))
    assert not vectors(other, [""]).any()


def test_what_pads_is_there_even_where_the_tokenizer_has_none(made):
    assert made["gpt2"].tokenizer.pad_token == "<|endoftext|>"
    assert made["gpt2"].tokens(["a red mug", "a"])["attention_mask"].tolist()[1][1:] == [0, 0]


def test_the_end_mark_of_a_decoder_survives_saving(folders):
    ids = load_backbone(folders / "qwen2").token_ids(["a red mug"])[0]
    assert ids[-1] == 0
    assert len(ids) == 4


def test_prefixes_are_put_before_what_asks_and_what_describes(made):
    card = ModelCard(prefix="a film ", query_prefix="two friends ", max_tokens=40)
    backbone = type(made["bert"])(made["bert"].model, made["bert"].tokenizer, card)
    plain = made["bert"]
    np.testing.assert_allclose(vectors(backbone, ["a mug"]), vectors(plain, ["a film a mug"]), atol=1e-6)
    np.testing.assert_allclose(
        vectors(backbone, ["a mug"], query=True), vectors(plain, ["two friends a mug"]), atol=1e-6
    )


def test_only_the_first_tokens_are_read(made):
    long = " ".join(TEXTS[:9])
    assert made["bert"].tokens([long])["input_ids"].shape[1] == 48
    assert made["bert"].tokens([long], 8)["input_ids"].shape[1] == 8


def test_without_normalisation_rows_keep_their_length(made):
    card = ModelCard(normalize=False, max_tokens=40)
    lengths = np.linalg.norm(vectors(type(made["bert"])(made["bert"].model, made["bert"].tokenizer, card)), axis=1)
    assert (abs(lengths - 1) > 0.1).all()


def test_segments_are_passed_on_where_a_batch_has_them(made):
    backbone = made["bert"]
    batch = backbone.tokens(["a red mug"])
    with torch.no_grad():
        without = backbone.vectors(batch)
        ones = backbone.vectors({**batch, "token_type_ids": torch.ones_like(batch["input_ids"])})
    assert float((without - ones).abs().max()) > 1e-3


# The encoder


def test_the_encoder_answers_like_the_model_and_tells_how_far_it_is(made, folders):
    told = []
    encoder = BackboneEncoder(folders / "qwen3", progress=lambda done, total: told.append((done, total)))
    many = [f"{text} {n}" for n in range(60) for text in TEXTS]
    np.testing.assert_allclose(encoder.encode(TEXTS), vectors(made["qwen3"]), atol=2e-6)
    encoder.encode(many)
    assert len(told) > 2
    assert told[-1] == (len(many), len(many))
    assert encoder.dim == 32


def test_rows_have_length_one_whatever_the_card_says(made, tmp_path):
    backbone = type(made["bert"])(made["bert"].model, made["bert"].tokenizer, ModelCard(normalize=False, max_tokens=40))
    backbone.save(tmp_path / "model")
    np.testing.assert_allclose(np.linalg.norm(BackboneEncoder(tmp_path / "model").encode(TEXTS), axis=1), 1, atol=1e-5)


def test_an_encoder_that_asks_uses_the_other_prefix(made, tmp_path):
    card = ModelCard(prefix="a film ", query_prefix="two friends ", max_tokens=40)
    type(made["bert"])(made["bert"].model, made["bert"].tokenizer, card).save(tmp_path / "model")
    describes, asks = BackboneEncoder(tmp_path / "model"), BackboneEncoder(tmp_path / "model", query=True)
    np.testing.assert_allclose(asks.encode(["mug"]), vectors(made["bert"], ["two friends mug"]), atol=2e-6)
    assert describes.fingerprint != asks.fingerprint


def test_it_tells_what_its_tokenizer_cannot_read(folders):
    assert BackboneEncoder(folders / "bert").unknown_share(["a red mug", "♜♞", "", "♜ mug"]).tolist() == [0, 1, 1, 0.5]
    assert BackboneEncoder(folders / "gpt2").unknown_share(["♜♞", ""]).tolist() == [0, 1]
    assert BackboneEncoder(folders / "gpt2").unknown_share([]).shape == (0,)


def test_the_fingerprint_follows_the_files(folders, tmp_path):
    shutil.copytree(folders / "bert", tmp_path / "model")
    before = BackboneEncoder(tmp_path / "model").fingerprint
    assert before == BackboneEncoder(folders / "bert").fingerprint
    card = json.loads((tmp_path / "model" / CARD).read_text())
    (tmp_path / "model" / CARD).write_text(json.dumps(card | {"pooling": "cls"}))
    assert BackboneEncoder(tmp_path / "model").fingerprint != before
    assert files_fingerprint(folders / "bert") != files_fingerprint(folders / "roberta")


def test_threads_are_at_least_one():
    with pytest.raises(ConfigError, match="n_threads is 0, expected at least 1"):
        BackboneEncoder(n_threads=0)


@WITH_MINILM
def test_minilm_is_read_as_its_makers_read_it():
    backbone = load_backbone("minilm")
    assert backbone.card == ModelCard(pooling="mean", max_tokens=256, normalize=True)
    titles = [
        "white hanging heart t-light holder",
        "Toy Story (1995)",
        "A sentence about a person who travels by train.",
    ]
    tokenizer = transformers.AutoTokenizer.from_pretrained(packaged_minilm())
    given = tokenizer(titles, padding=True, return_tensors="pt")
    with torch.no_grad():
        hidden = backbone.model(**given).last_hidden_state
    mask = given["attention_mask"].unsqueeze(-1)
    expected = torch.nn.functional.normalize((hidden * mask).sum(1) / mask.sum(1), dim=1).numpy()
    np.testing.assert_allclose(vectors(backbone, titles), expected, atol=1e-6)
    shipped = SentenceEncoder().encode(titles)
    assert (shipped * expected).sum(axis=1).min() > 0.98


# Cards


def card_of(tmp_path, kind="bert", **files):
    (tmp_path / "1_Pooling").mkdir(exist_ok=True)
    for name, content in files.items():
        path = {"pooling": "1_Pooling/config.json", "prompts": "config_sentence_transformers.json",
                "length": "sentence_bert_config.json", "modules": "modules.json", "config": "config.json",
                "card": CARD}[name]  # fmt: skip
        (tmp_path / path).write_text(json.dumps(content))
    return read_card(tmp_path, kind)


@pytest.mark.parametrize(("kind", "pooling"), [("bert", "mean"), ("t5", "mean"), ("gpt2", "last"), ("xlnet", "last"),
                                               ("qwen3", "last"), ("never-heard-of", "mean")])  # fmt: skip
def test_an_architecture_has_a_pooling_of_its_own(tmp_path, kind, pooling):
    assert card_of(tmp_path, kind).pooling == pooling


@pytest.mark.parametrize(("said", "pooling"), [
    ({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}, "cls"),
    ({"pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True, "include_prompt": True}, "mean"),
    ({"pooling_mode_lasttoken": True, "word_embedding_dimension": 8}, "last"),
    ({"pooling_mode": "lasttoken"}, "last"),
])  # fmt: skip
def test_the_files_of_sentence_transformers_are_read(tmp_path, said, pooling):
    prompts = {"prompts": {"query": "query: ", "document": "passage: "}}
    card = card_of(tmp_path, pooling=said, prompts=prompts, length={"max_seq_length": 384})
    assert card == ModelCard(pooling=pooling, prefix="passage: ", query_prefix="query: ", max_tokens=384)


def test_no_card_reads_further_than_the_model_has_positions(tmp_path):
    assert card_of(tmp_path, config={"model_type": "roberta", "max_position_embeddings": 66}).max_tokens == 64
    assert card_of(tmp_path, config={"model_type": "t5", "n_positions": 16}).max_tokens == 256
    assert max_length({"model_type": "bert", "max_position_embeddings": 512}) == 512
    assert [width({"d_model": 7}), width({"hidden_size": 8}), width({})] == [7, 8, 0]


def test_an_own_card_counts_more_and_keeps_what_was_learned(tmp_path):
    learned = {"name": "pretrained on shop", "trained_until": 5, "fingerprint": "abc"}
    card = card_of(tmp_path, card={"pooling": "cls", "learned": [learned]}, pooling={"pooling_mode": "lasttoken"})
    assert card == ModelCard(pooling="cls", learned=(Provenance(**learned),))


def test_what_a_card_cannot_say_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"unknown key 'poling'.*Did you mean 'pooling'"):
        card_of(tmp_path, card={"poling": "cls"})
    (tmp_path / CARD).unlink()
    with pytest.raises(ConfigError, match="pools by pooling_mode_max_tokens, expected mean, cls or last"):
        card_of(tmp_path, pooling={"pooling_mode_max_tokens": True})
    with pytest.raises(ConfigError, match=r"pools by .*weightedmean"):
        card_of(tmp_path, pooling={"pooling_mode": "weightedmean"})
    with pytest.raises(ConfigError, match="has a module 'Dense' behind its model"):
        card_of(tmp_path, modules=[{"type": "sentence_transformers.models.Dense"}])
    (tmp_path / "modules.json").unlink()
    (tmp_path / "1_Pooling" / "config.json").write_text("[1")
    with pytest.raises(BundleError, match=r"config\.json in 1_Pooling is no JSON object"):
        read_card(tmp_path, "bert")


# Where models come from, and errors


def test_a_card_that_does_not_fit_is_refused(folders):
    with pytest.raises(ConfigError, match="max_tokens is 49, but this bert has positions for 48"):
        load_backbone(folders / "bert", card=ModelCard(max_tokens=49))


def test_a_folder_without_a_model_is_refused(tmp_path, folders):
    with pytest.raises(BundleError, match=r"holds no language model: it has no config\.json"):
        load_backbone(tmp_path)
    shutil.copytree(folders / "bert", tmp_path / "cut")
    (tmp_path / "cut" / "model.safetensors").write_bytes(b"broken")
    with pytest.raises(BundleError, match="cut could not be loaded as a language model"):
        load_backbone(tmp_path / "cut")


def test_an_unknown_architecture_is_said(tmp_path, folders):
    shutil.copytree(folders / "bert", tmp_path / "new")
    (tmp_path / "new" / "config.json").write_text('{"model_type": "brand-new"}')
    with pytest.raises(ConfigError, match=r"architecture that transformers does not know.*Tested architectures: bert"):
        load_backbone(tmp_path / "new")
    (tmp_path / "new" / "config.json").write_text('{"model_type": "clip"}')
    with pytest.raises(BundleError, match=r"The weights in new lack .* of the model's tensors, such as"):
        load_backbone(tmp_path / "new")
    (tmp_path / "new" / "model.safetensors").write_bytes(b"broken")
    with pytest.raises(BundleError, match="'clip' is not one of the tested architectures"):
        load_backbone(tmp_path / "new")


def test_a_folder_without_a_tokenizer_is_refused(tmp_path, folders):
    shutil.copytree(folders / "bert", tmp_path / "mute", ignore=shutil.ignore_patterns("tokenizer*"))
    with pytest.raises(BundleError, match=r"mute has no tokenizer. Expected one of these files: tokenizer.json"):
        load_backbone(tmp_path / "mute")
    (tmp_path / "mute" / "tokenizer.json").write_text("{}")
    with pytest.raises(BundleError, match="mute has no tokenizer that can be read"):
        load_backbone(tmp_path / "mute")


def test_a_name_that_the_hub_does_not_have_is_said(monkeypatch):
    import huggingface_hub
    from huggingface_hub.errors import LocalEntryNotFoundError

    def refuse(name, **_):
        raise LocalEntryNotFoundError(name)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", refuse)
    with pytest.raises(NotFoundError, match="no folder 'nobody/nothing', and the hub gave no model of that name"):
        load_backbone("nobody/nothing")


def test_a_name_on_the_hub_is_fetched_without_code_of_its_own(monkeypatch, folders, tmp_path):
    import huggingface_hub

    asked = []

    def fetch(name, *, allow_patterns):
        asked.append((name, allow_patterns[-1]))
        return str(folders / "bert") if name == "some/bert" else str(tmp_path)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fetch)
    monkeypatch.setattr(huggingface_hub, "list_repo_files", lambda name: ["pytorch_model.bin"])
    assert load_backbone("some/bert").kind == "bert"
    assert model_folder("some/old") == tmp_path
    assert asked == [("some/bert", "*.safetensors"), ("some/old", "*.safetensors"), ("some/old", "pytorch_model*.bin")]
    monkeypatch.setattr(_backbone_folder, "packaged_minilm", lambda: None)
    model_folder("minilm")
    assert ("sentence-transformers/all-MiniLM-L6-v2", "*.safetensors") in asked


@pytest.mark.parametrize("missing", ["torch", "transformers"])
def test_what_is_not_installed_is_named(monkeypatch, missing, folders):
    def without(name):
        if name == missing:
            raise ImportError(name)

    monkeypatch.setattr(_backbone_folder, "import_module", without)
    with pytest.raises(MissingExtraError, match=rf"needs {missing}, which is not installed. Run: pip install 'inkling"):
        load_backbone(folders / "bert")


def test_texts_are_texts(made):
    with pytest.raises(RequestError, match="one string"):
        made["bert"].tokens("a red mug")


# Saving


def test_a_model_is_replaced_by_a_model_and_nothing_else_is(made, tmp_path):
    made["bert"].save(tmp_path / "model")
    made["roberta"].save(tmp_path / "model")
    assert load_backbone(tmp_path / "model").kind == "roberta"
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "dear.txt").write_text("dear")
    with pytest.raises(BundleError, match="letters exists already and holds something else"):
        made["bert"].save(tmp_path / "letters")
    assert [path.name for path in (tmp_path / "letters").iterdir()] == ["dear.txt"]


def test_a_model_is_written_whole_or_not_at_all(made, tmp_path):
    made["bert"].save(tmp_path / "model")

    def fill(place):
        (place / "half").write_text("half")
        raise OSError(28, "No space left on device")

    with pytest.raises(BundleError, match="cannot be written: No space left on device"):
        write_whole(tmp_path / "model", fill, marks=(CARD,))
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    assert load_backbone(tmp_path / "model").kind == "bert"

from __future__ import annotations

import json
import subprocess
import sys
import threading

import numpy as np
import pytest

from inkling.core.errors import BundleError, ConfigError, InklingError, MissingExtraError
from inkling.encoders import _backbone_folder
from inkling.encoders.exported import CARD, ExportedEncoder, export_backbone
from inkling.encoders.sentence import SentenceEncoder
from inkling.testing.backbones import KINDS, TEXTS, small_backbone
from inkling.testing.encoders import WISHES, EncoderContract, best


class TestContract(EncoderContract):
    name = "exported"


def test_without_a_folder_it_serves_the_model_that_ships():
    assert ExportedEncoder().encode(TEXTS) == pytest.approx(SentenceEncoder().encode(TEXTS), abs=1e-5)
    text = "I like watching movies and travelling"
    items, wanted = WISHES[text]
    assert best(ExportedEncoder(), text, items) == wanted
    assert ExportedEncoder().unknown_share(["a film", "ሰላም", ""]).tolist() == [0, 1, 1]


@pytest.fixture(scope="module")
def exports(tmp_path_factory):
    """Return a small model and its export for each kind, made when asked for."""
    pytest.importorskip("torch", reason="exporting needs torch")
    place, made = tmp_path_factory.mktemp("exports"), {}

    def get(kind):
        if kind not in made:
            made[kind] = small_backbone(kind)
            export_backbone(made[kind], place / kind)
        return made[kind], place / kind

    return get


def of_torch(backbone, texts, *, query=False):
    import torch

    with torch.no_grad():
        return torch.cat([backbone.vectors(backbone.tokens([text], query=query)) for text in texts]).numpy()


@pytest.mark.parametrize("kind", KINDS)
def test_an_exported_model_answers_as_in_torch(kind, exports):
    backbone, folder = exports(kind)
    encoder = ExportedEncoder(folder)
    texts = [*TEXTS, "", " ".join(TEXTS)]
    np.testing.assert_allclose(encoder.encode(texts), of_torch(backbone, texts), atol=1e-5)
    assert sorted(path.name for path in folder.iterdir()) == [CARD, "model.onnx", "tokenizer.json"]
    card = json.loads((folder / CARD).read_text())
    assert (card["architecture"], card["pooling"], card["dim"]) == (kind, backbone.card.pooling, 32)


@pytest.mark.parametrize("kind", ["bert", "gpt2", "t5"])
def test_int8_is_small_and_near_and_a_text_knows_no_neighbours(kind, exports, tmp_path):
    backbone, folder = exports(kind)
    export_backbone(backbone, tmp_path / "small", int8=True)
    encoder = ExportedEncoder(tmp_path / "small")
    found = encoder.encode(TEXTS)
    assert (found * of_torch(backbone, TEXTS)).sum(axis=1).min() > 0.99
    for row, text in enumerate(TEXTS):
        np.testing.assert_allclose(encoder.encode([text])[0], found[row], atol=2e-6)
    assert (tmp_path / "small" / "model.onnx").stat().st_size < 0.7 * (folder / "model.onnx").stat().st_size
    assert encoder.card.quantisation == "int8 by rows"
    assert encoder.fingerprint != ExportedEncoder(folder).fingerprint


def test_serving_needs_neither_torch_nor_transformers(exports):
    _, folder = exports("bert")
    code = (
        "import sys; from inkling.encoders.exported import ExportedEncoder;"
        f"assert ExportedEncoder({str(folder)!r}).encode(['a red mug']).any();"
        "sys.exit(','.join({'torch', 'transformers'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.stderr.strip() == ""


def test_exporting_leaves_the_model_as_it_was(exports):
    backbone, _ = exports("bert")
    assert backbone.model.config._attn_implementation == "sdpa"
    before = backbone.fingerprint
    backbone.model.train()
    from inkling.encoders._backbone_export import _graph

    _graph(backbone)
    assert backbone.model.training
    backbone.model.eval()
    assert backbone.fingerprint == before


def test_prefixes_travel_with_the_model(exports, tmp_path):
    from inkling.encoders.backbone import ModelCard

    plain, _ = exports("bert")
    card = ModelCard(prefix="a film ", query_prefix="two friends ", max_tokens=40)
    backbone = type(plain)(plain.model, plain.tokenizer, card)
    export_backbone(backbone, tmp_path / "export")
    describes, asks = ExportedEncoder(tmp_path / "export"), ExportedEncoder(tmp_path / "export", query=True)
    np.testing.assert_allclose(describes.encode(TEXTS), of_torch(backbone, TEXTS), atol=1e-5)
    np.testing.assert_allclose(asks.encode(TEXTS), of_torch(backbone, TEXTS, query=True), atol=1e-5)
    assert describes.fingerprint != asks.fingerprint


def test_it_reads_what_its_tokenizer_can(exports):
    _, folder = exports("bert")
    assert ExportedEncoder(folder).unknown_share(["绿茶", "♜♞", ""]).tolist() == [0, 1, 1]
    _, folder = exports("t5")
    assert ExportedEncoder(folder).unknown_share(["a red mug"]).tolist() == [0]
    _, folder = exports("gpt2")
    assert ExportedEncoder(folder).unknown_share(["♜♞"]).tolist() == [0]


def test_progress_is_told_until_all_is_done(exports):
    told = []
    _, folder = exports("bert")
    encoder = ExportedEncoder(folder, progress=lambda done, total: told.append((done, total)))
    encoder.encode([f"{text} {n}" for n in range(60) for text in TEXTS])
    assert len(told) > 1
    assert told[-1] == (60 * len(TEXTS), 60 * len(TEXTS))


def test_many_threads_load_one_model_and_agree(exports):
    _, folder = exports("bert")
    encoder, out = ExportedEncoder(folder), [None] * 4
    threads = [threading.Thread(target=lambda i=i: out.__setitem__(i, encoder.encode(["red mug"]))) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.array_equal(vector, out[0]) for vector in out)


def test_an_altered_folder_is_refused(exports, tmp_path):
    backbone, _ = exports("bert")
    export_backbone(backbone, tmp_path / "model")
    (tmp_path / "model" / "model.onnx").write_bytes(b"something else")
    with pytest.raises(BundleError, match=r"model\.onnx was altered.*Export it again"):
        ExportedEncoder(tmp_path / "model").encode(["a"])
    (tmp_path / "model" / "tokenizer.json").unlink()
    with pytest.raises(BundleError, match=r"lacks tokenizer\.json"):
        ExportedEncoder(tmp_path / "model").encode(["a"])
    (tmp_path / "model" / CARD).write_text('{"dim": 3, "max_tokens": 8, "sha256": {}, "format": 99}')
    with pytest.raises(BundleError, match="is of format 99, expected 1"):
        ExportedEncoder(tmp_path / "model")
    (tmp_path / "model" / CARD).write_text("{}")
    with pytest.raises(BundleError, match="is not the card of an exported model"):
        ExportedEncoder(tmp_path / "model")
    with pytest.raises(BundleError, match=r"holds no exported model: it lacks card\.json"):
        ExportedEncoder(tmp_path)


def test_threads_are_at_least_one():
    with pytest.raises(ConfigError, match="n_threads is 0, expected at least 1"):
        ExportedEncoder(n_threads=0)


def test_the_place_of_something_else_is_not_taken(exports, tmp_path):
    backbone, _ = exports("bert")
    (tmp_path / "letters.txt").write_text("dear")
    with pytest.raises(BundleError, match="exists already and holds something else"):
        export_backbone(backbone, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["letters.txt"]


def test_what_is_not_installed_is_named(monkeypatch, exports, tmp_path):
    def without(name):
        raise ImportError(name)

    backbone, _ = exports("bert")
    monkeypatch.setattr(_backbone_folder, "import_module", without)
    with pytest.raises(MissingExtraError, match="Exporting a language model needs torch"):
        export_backbone(backbone, tmp_path / "export")


def test_a_tokenizer_that_only_transformers_can_run_is_refused(exports, tmp_path):
    backbone, _ = exports("bert")
    slow = type("Slow", (), {"is_fast": False, "pad_token_id": 0})()
    with pytest.raises(ConfigError, match=r"The tokenizer Slow cannot be written as tokenizer\.json"):
        export_backbone(type(backbone)(backbone.model, slow, backbone.card), tmp_path / "export")


def test_a_graph_that_disagrees_is_not_written(monkeypatch, exports, tmp_path):
    from inkling.encoders import _backbone_export

    backbone, _ = exports("bert")
    real = _backbone_export._vectors
    monkeypatch.setattr(_backbone_export, "_vectors", lambda backbone, texts: -real(backbone, texts))
    with pytest.raises(InklingError, match=r"The exported folder is .* off torch's vectors"):
        export_backbone(backbone, tmp_path / "export")
    with pytest.raises(InklingError, match="The int8 graph has a cosine of -"):
        export_backbone(backbone, tmp_path / "export", int8=True)
    assert list(tmp_path.iterdir()) == []


def test_a_network_that_cannot_be_traced_says_so(exports, tmp_path, monkeypatch):
    from inkling.encoders import _backbone_export

    def fail(*_, **__):
        raise RuntimeError("no such operator")

    backbone, _ = exports("bert")
    monkeypatch.setattr(_backbone_export, "to_onnx", fail)
    with pytest.raises(InklingError, match="The bert could not be exported: no such operator"):
        export_backbone(backbone, tmp_path / "export")

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("torch", reason="quantising needs torch")

from inkling.compression.quantize import METHODS, quantize
from inkling.core.errors import BundleError, ConfigError, InklingError, MissingExtraError
from inkling.encoders import _backbone_folder, open_encoder
from inkling.encoders.exported import ExportedEncoder
from inkling.testing.backbones import TEXTS, small_backbone

DOMAIN = [f"{first} {second}" for first in TEXTS[:7] for second in TEXTS[7:]]


@pytest.fixture(scope="module")
def backbone():
    return small_backbone("bert", dim=64)


@pytest.fixture(scope="module")
def made(backbone, tmp_path_factory):
    """Return each form of one small model."""
    place = tmp_path_factory.mktemp("forms")
    return {name: quantize(backbone, place / name, method=name, texts=DOMAIN) for name in METHODS}


def of_torch(backbone, texts):
    import torch

    with torch.no_grad():
        return torch.cat([backbone.vectors(backbone.tokens([text])) for text in texts]).numpy()


def size(encoder):
    return (encoder._folder / "model.onnx").stat().st_size


def operators(encoder):
    import onnx

    return [node.op_type for node in onnx.load(str(encoder._folder / "model.onnx")).graph.node]


def test_half_precision_is_half_as_large_and_nearly_the_same(backbone, made):
    expected = of_torch(backbone, TEXTS)
    np.testing.assert_allclose(made["float32"].encode(TEXTS), expected, atol=1e-5)
    np.testing.assert_allclose(made["float16"].encode(TEXTS), expected, atol=5e-3)
    assert size(made["float16"]) < 0.6 * size(made["float32"])
    assert size(made["dynamic"]) < 0.4 * size(made["float32"])


@pytest.mark.parametrize("method", ["dynamic", "static"])
def test_int8_is_near_and_a_text_knows_no_neighbours(method, backbone, made):
    encoder = made[method]
    found = encoder.encode(TEXTS)
    assert (found * of_torch(backbone, TEXTS)).sum(axis=1).min() > 0.99
    for row, text in enumerate(TEXTS):
        np.testing.assert_allclose(encoder.encode([text])[0], found[row], atol=2e-6)
    assert "MatMulIntegerToFloat" in operators(encoder)


def test_what_belongs_together_is_one_node_and_three_products_are_one(made):
    found = operators(made["float32"])
    assert found.count("MultiHeadAttention") == found.count("BiasGelu") == 2
    assert found.count("MatMul") == 2 * 4
    assert "Softmax" not in found


def test_calibrated_steps_spare_the_work_by_row_and_no_tolerance_leaves_none(backbone, made, tmp_path):
    static, by_row = operators(made["static"]), operators(made["dynamic"])
    assert static.count("ReduceMax") < by_row.count("ReduceMax") == 2 * 4
    none = quantize(backbone, tmp_path / "none", method="static", texts=DOMAIN, tolerance=0)
    assert operators(none).count("ReduceMax") == 2 * 4


def test_the_card_tells_the_method_and_the_door_to_encoders_reads_it(made):
    said = {name: encoder.card.quantisation for name, encoder in made.items()}
    assert said == {
        "float32": "none", "float16": "float16 weights", "dynamic": "int8 by rows", "static": "int8 calibrated",
    }  # fmt: skip
    opened = open_encoder(str(made["static"]._folder))
    assert isinstance(opened, ExportedEncoder)
    assert np.array_equal(opened.encode(TEXTS), made["static"].encode(TEXTS))
    assert len({encoder.fingerprint for encoder in made.values()}) == len(made)


@pytest.mark.parametrize("kind", ["gpt2", "roberta"])
def test_other_architectures_are_quantised_too(kind, tmp_path):
    backbone = small_backbone(kind)
    encoder = quantize(backbone, tmp_path / kind, method="static", texts=DOMAIN)
    assert (encoder.encode(TEXTS) * of_torch(backbone, TEXTS)).sum(axis=1).min() > 0.98


def test_serving_needs_no_torch(made):
    code = (
        "import sys; sys.modules['torch'] = None; sys.modules['onnx'] = None;"
        "from inkling.encoders import open_encoder;"
        f"print(open_encoder({str(made['static']._folder)!r}).encode(['a red mug']).any())"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (run.stdout.strip(), run.stderr.strip()) == ("True", "")


def test_what_cannot_be_done_says_so(backbone, tmp_path):
    with pytest.raises(ConfigError, match=r"no way to quantise named 'statik'.*Did you mean 'static'"):
        quantize(backbone, tmp_path / "a", method="statik")
    with pytest.raises(ConfigError, match="Only 2 different texts were given to calibrate on, at least 32"):
        quantize(backbone, tmp_path / "a", method="static", texts=["a", "b", "a", " "])
    with pytest.raises(ConfigError, match="tolerance is -1, expected at least 0"):
        quantize(backbone, tmp_path / "a", tolerance=-1)
    (tmp_path / "letters.txt").write_text("dear")
    with pytest.raises(BundleError, match="holds something else"):
        quantize(backbone, tmp_path)
    assert not (tmp_path / "a").exists()


def test_what_is_too_far_off_is_not_written(backbone, tmp_path, monkeypatch):
    from inkling.encoders import _backbone_export

    real = _backbone_export._vectors
    monkeypatch.setattr(_backbone_export, "_vectors", lambda backbone, texts: -real(backbone, texts))
    with pytest.raises(InklingError, match="The int8 graph has a cosine of -"):
        quantize(backbone, tmp_path / "a")
    assert not (tmp_path / "a").exists()


def test_a_missing_extra_is_named(backbone, tmp_path, monkeypatch):
    def without(name):
        raise ImportError(name)

    monkeypatch.setattr(_backbone_folder, "import_module", without)
    with pytest.raises(MissingExtraError, match="Quantising a language model needs torch"):
        quantize(backbone, tmp_path / "a")


def test_a_graph_that_cannot_be_fused_or_would_answer_otherwise_stays_as_it_was(backbone, tmp_path, monkeypatch):
    from inkling.encoders import _backbone_export

    def fail(graph, **_):
        raise IndexError("no such pattern")

    def other(graph, **_):
        return graph.replace(b"ReduceL2", b"ReduceL1")

    for wrong in (fail, other):
        monkeypatch.setattr(_backbone_export, "fused", wrong)
        encoder = quantize(backbone, tmp_path / wrong.__name__, method="float32")
        np.testing.assert_allclose(encoder.encode(TEXTS), of_torch(backbone, TEXTS), atol=1e-5)
        assert "Softmax" in operators(encoder)


def test_places_that_no_text_reaches_are_left_out(backbone, tmp_path):
    import onnx

    short = type(backbone)(backbone.model, backbone.tokenizer, type(backbone.card)(max_tokens=20))
    encoder = quantize(short, tmp_path / "short", method="float32")
    tables = onnx.load(str(tmp_path / "short" / "model.onnx")).graph.initializer
    assert [table.dims[0] for table in tables if table.name.endswith("position_embeddings.weight")] == [20]
    long = " ".join(TEXTS[:11])
    np.testing.assert_allclose(encoder.encode([long]), of_torch(short, [long]), atol=1e-5)

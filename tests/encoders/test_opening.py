from __future__ import annotations

import shutil
from importlib.resources import files

import numpy as np
import pytest

from inkling.core.errors import BundleError, ConfigError
from inkling.core.run import Run
from inkling.encoders import ENCODERS, fitted_encoder, open_encoder
from inkling.encoders._opening import folder_of, is_exported, is_hub_name
from inkling.encoders.base import Encoder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder as ``export_backbone`` writes it: the shipped model has the same three files."""
    place = tmp_path_factory.mktemp("models") / "own"
    shutil.copytree(str(files("inkling.encoders") / "data" / "minilm"), place)
    return place


@pytest.mark.parametrize("name", ["auto", "corpus", "hashing", "sentence", "static"])
def test_a_registered_name_opens_what_the_catalogue_makes(name):
    opened = open_encoder(name, n_threads=2)
    assert isinstance(opened, Encoder)
    assert opened.fingerprint == ENCODERS.get(name)().fingerprint
    assert getattr(getattr(opened, "reader", opened), "n_threads", 2) == 2


def test_what_is_told_of_progress_comes_from_the_model(folder):
    for source in ("auto", "sentence", str(folder)):
        told = []
        open_encoder(source, progress=lambda done, total, told=told: told.append((done, total))).encode(["red mug"])
        assert told == [(1, 1)]


def test_an_exported_folder_is_read_without_torch(folder):
    opened = open_encoder(str(folder))
    assert (opened.name, opened.dim) == ("exported", 384)
    assert is_exported(folder)
    np.testing.assert_allclose(opened.encode(["red mug"]), open_encoder("sentence").encode(["red mug"]), atol=1e-5)
    assert open_encoder(str(folder), query=True).fingerprint != opened.fingerprint


def test_a_saved_transformer_is_read_by_torch(tmp_path):
    pytest.importorskip("torch", reason="a transformer is read by torch")
    pytest.importorskip("transformers", reason="and by transformers")
    (tmp_path / "config.json").write_text('{"model_type": "bert", "hidden_size": 32}')
    opened = open_encoder(str(tmp_path))
    assert (opened.name, opened.source) == ("backbone", str(tmp_path))


def test_a_hub_name_is_left_to_the_loader(monkeypatch):
    made = []
    monkeypatch.setattr(ENCODERS.get("backbone"), "__init__", lambda self, source, **rest: made.append((source, rest)))
    for source in ("owner/name", "hub:bert-base-chinese"):
        open_encoder(source, n_threads=3)
    assert [source for source, _ in made] == ["owner/name", "bert-base-chinese"]
    assert made[0][1]["n_threads"] == 3


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("sentense", "no encoder named 'sentense', and no folder of that name. Did you mean 'sentence'"),
        ("./nowhere", "'./nowhere' does not exist; expected a folder"),
        ("/no/such/folder", "does not exist; expected a folder"),
        ("one/two/three", "does not exist; expected a folder"),
        ("two words/here", "no encoder named 'two words/here'"),
    ],
)
def test_what_is_not_there_is_told(source, message):
    with pytest.raises(ConfigError, match=message):
        open_encoder(source)


def test_a_file_or_a_folder_of_something_else_is_told(tmp_path):
    (tmp_path / "notes.txt").write_text("dear diary")
    with pytest.raises(ConfigError, match=r"holds no encoder: there is notes\.txt in it\. Expected card\.json"):
        open_encoder(str(tmp_path))
    with pytest.raises(ConfigError, match="is a file; expected a folder"):
        open_encoder(str(tmp_path / "notes.txt"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match="there is nothing in it"):
        open_encoder(str(tmp_path / "empty"))


def test_an_encoder_that_cannot_be_made_from_its_name_alone_says_what_it_needs(monkeypatch):
    class Needy:
        name = "static"

        def __init__(self, table):
            self.table = table

    monkeypatch.setattr(ENCODERS, "get", lambda name: Needy)
    with pytest.raises(ConfigError, match="The encoder 'static' needs table"):
        open_encoder("static")


def test_an_altered_folder_is_refused(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "bad")
    (tmp_path / "bad" / "model.onnx").write_bytes(b"other weights")
    with pytest.raises(BundleError, match=r"model\.onnx was altered"):
        open_encoder(str(tmp_path / "bad")).encode(["red mug"])


def test_where_a_source_lies(folder):
    assert folder_of(str(folder)) == folder
    assert folder_of("auto") is folder_of("owner/name") is folder_of("hub:name") is None
    assert is_hub_name("owner/name")
    assert not is_hub_name("name")


def test_an_encoder_that_learns_is_fitted(folder):
    texts = ["绿茶和茶壶", "茶壶和茶杯", "绿茶和茶杯"]
    assert fitted_encoder("corpus", texts, Run()).n_features > 0
    assert fitted_encoder("hashing", texts, Run()).name == "hashing"

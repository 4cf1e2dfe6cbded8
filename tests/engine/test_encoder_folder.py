"""An encoder by folder: it replaces the default for everything, and the bundle carries it."""

from __future__ import annotations

import json
import shutil
from importlib.resources import files

import numpy as np
import pytest

import inkling
from inkling.core.errors import BundleError
from inkling.encoders import open_encoder
from inkling.engine import texts
from inkling.engine.bundle import Bundle

CHINESE = {"tea": "茶", "ball": "球"}


@pytest.fixture(autouse=True)
def as_in_a_new_process():
    texts._shared.cache_clear()
    yield
    texts._shared.cache_clear()


def own_model(place):
    """Write a folder as ``export_backbone`` does: the shipped model has the same three files."""
    shutil.copytree(str(files("inkling.encoders") / "data" / "minilm"), place)
    return str(place)


def another(place):
    """Change what a folder's card says, so that its vectors are others as far as anyone can tell."""
    card = json.loads((place / "card.json").read_text())
    (place / "card.json").write_text(json.dumps(card | {"prefix": "title: "}))


@pytest.fixture(scope="module")
def carried(shop, tmp_path_factory):
    """Return a bundle whose encoder's own folder is gone."""
    place = tmp_path_factory.mktemp("here")
    source = own_model(place / "model")
    with shop.fitted(encoder=source) as engine:
        before = [item.item_id for item in engine.recommend(text="cat toy", k=3).items]
        engine.save(place / "bundle")
    shutil.rmtree(source)
    there = tmp_path_factory.mktemp("there")
    shutil.move(place / "bundle", there / "bundle")
    return there / "bundle", source, before


def test_a_bundle_carries_its_encoder_to_another_machine(carried):
    folder, source, before = carried
    assert sorted(path.name for path in (folder / "encoder").iterdir()) == ["card.json", "model.onnx", "tokenizer.json"]
    with inkling.open(bundle=folder) as engine:
        assert [item.item_id for item in engine.recommend(text="cat toy", k=3).items] == before
        assert before[0] == "cat-toy"
        assert list(engine.pipeline.encode(["cat toy"])) == [source]
        engine.put_items([{"item_id": "new", "title": "a cat toy with feathers"}])
        engine.read_all()
        assert "new" in {item.item_id for item in engine.recommend(text="feathers for a cat to play with", k=2).items}


def test_members_hear_what_is_said_through_the_same_encoder(carried):
    folder, source, _ = carried
    pipeline = Bundle.read(folder).pipeline()
    assert pipeline._recall.members["semantic"].config.encoder == source
    assert pipeline._recall.members["semantic"].vectors.shape[1] == open_encoder("sentence").dim


def test_a_bundle_is_written_again_with_its_encoder(carried, tmp_path):
    found = Bundle.read(carried[0])
    found.write(tmp_path / "again")
    found.erase("u0")
    model = (carried[0] / "encoder" / "model.onnx").read_bytes()
    assert (tmp_path / "again" / "encoder" / "model.onnx").read_bytes() == model
    assert inkling.open(bundle=tmp_path / "again").recommend(text="cat toy", k=1).items[0].item_id == "cat-toy"


def test_an_altered_file_of_the_encoder_is_refused(carried, tmp_path):
    shutil.copytree(carried[0], tmp_path / "bundle")
    (tmp_path / "bundle" / "encoder" / "tokenizer.json").write_text("{}")
    with pytest.raises(BundleError, match=r"tokenizer\.json has 2 bytes instead of"):
        inkling.open(bundle=tmp_path / "bundle")


def test_another_encoder_than_that_of_the_fit_is_refused(carried, tmp_path):
    found = Bundle.read(carried[0])
    own_model(tmp_path / "other")
    another(tmp_path / "other")
    found.state = type(found.state)(
        found.state.settings, found.state.arrays, {name: tmp_path / "other" / name for name in found.state.files}
    )
    with pytest.raises(BundleError, match=r"is another than the bundle was fitted with: it says exported:1:"):
        found.pipeline()


def test_a_registered_encoder_of_another_version_is_refused(saved):
    found = Bundle.read(saved)
    assert found.state.settings["encoder"] == {"source": "hashing", "fingerprint": "hashing:1:512"}
    told = {"source": "hashing", "fingerprint": "hashing:0:512"}
    found.state = type(found.state)({**found.state.settings, "encoder": told}, found.state.arrays)
    with pytest.raises(BundleError, match="'hashing' is another than the bundle was fitted with"):
        found.pipeline()
    found.state = type(found.state)(
        {key: value for key, value in found.state.settings.items() if key != "encoder"}, found.state.arrays
    )
    assert found.pipeline().name == "default"  # written before encoders were recorded


def test_an_encoder_that_is_not_installed_is_told(saved):
    found = Bundle.read(saved)
    config = {**found.state.settings["config"], "encoder": "acme"}
    told = {"source": "acme", "fingerprint": "acme:1"}
    found.state = type(found.state)({**found.state.settings, "config": config, "encoder": told}, found.state.arrays)
    with pytest.raises(BundleError, match="fitted with the encoder 'acme', which is not here"):
        found.pipeline()


def test_the_encoder_has_to_stay_until_it_is_saved(shop, tmp_path):
    source = own_model(tmp_path / "model")
    with shop.fitted(encoder=source) as engine:
        shutil.rmtree(source)
        with pytest.raises(BundleError, match=r"The encoder's file .* cannot be read"):
            engine.save(tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()


def test_a_transformer_in_torch_is_exported_when_fitted(shop, tmp_path):
    pytest.importorskip("torch", reason="a transformer is saved and exported by torch")
    pytest.importorskip("transformers", reason="and by transformers")
    pytest.importorskip("onnx", reason="exporting checks the graph")
    from inkling.testing.backbones import small_backbone

    small_backbone("bert", dim=16).save(tmp_path / "model")
    with shop.fitted(encoder=str(tmp_path / "model")) as engine:
        engine.save(tmp_path / "bundle")
        expected = engine.pipeline.encode(["red mug"])
    shutil.rmtree(tmp_path / "model")
    texts._exported.cache_clear()
    found = Bundle.read(tmp_path / "bundle").pipeline()
    seen = found.encode(["red mug"])[str(tmp_path / "model")]
    np.testing.assert_array_equal(seen, expected[str(tmp_path / "model")])
    assert found._reader._open().encoder.name == "exported"


def chinese_shop(shop):
    """Return the shop's items with Chinese titles: two kinds whose words share no character but stand together."""
    words = {"cat": ("绿茶", "茶壶", "泡茶", "普洱", "紫砂"), "car": ("足球", "射门", "裁判", "护腿", "球衣")}
    rng = np.random.default_rng(0)
    return [
        item | {"title": "，".join(rng.choice(words[item["item_id"][:3]], 3, replace=False).tolist()), "categories": []}
        for item in shop.ITEMS
    ] + [
        {"item_id": f"more-{kind}-{n}", "title": "，".join(rng.choice(words[kind], 2, replace=False).tolist())}
        for kind in words
        for n in range(8)
    ]


@pytest.mark.parametrize("name", ["auto", "corpus"])
def test_what_an_encoder_learned_from_the_catalogue_is_in_the_bundle(shop, tmp_path, name):
    engine = inkling.open(scenario=shop.SCENARIO)
    engine.put_items(chinese_shop(shop))
    engine.observe(shop.events())
    engine.fit(settings={**shop.QUICK, "encoder": name})
    expected = engine.pipeline.encode(["护腿", "紫砂"])[name]
    engine.save(tmp_path / "bundle")
    engine.close()
    texts._shared.cache_clear()
    with inkling.open(bundle=tmp_path / "bundle") as opened:
        np.testing.assert_array_equal(opened.pipeline.encode(["护腿", "紫砂"])[name], expected)
        assert opened.recommend(text="护腿", k=3).items[0].item_id.split("-")[0] in {"car", "more"}
        opened.put_items([{"item_id": "new", "title": "紫砂和普洱"}])  # read as the catalogue was
        opened.read_all()
        assert "new" in {item.item_id for item in opened.recommend(text="紫砂普洱", k=10).items}
        kinds = {item.item_id.removeprefix("more-").split("-")[0] for item in opened.similar("new", k=5).items}
        assert kinds == {"cat"}


def test_a_latin_catalogue_leaves_nothing_of_an_encoder_but_its_fingerprint(shop):
    with shop.fitted(encoder="auto") as engine:
        state = engine.pipeline.save()
    assert "encoder" not in state.arrays
    assert not state.files
    assert state.settings["encoder"]["fingerprint"] == open_encoder("auto").fingerprint

from __future__ import annotations

import json

import numpy as np
import pytest

from inkling.core.errors import BundleError
from inkling.stores.artifacts import MANIFEST, ArtifactBox

BOX = ArtifactBox()
FILES = {
    "model/ease.safetensors": {"weights": np.eye(3, dtype=np.float32)},
    "vectors.npy": np.arange(6, dtype=np.float16).reshape(2, 3),
    "config.toml": "seed = 1\n",
    "graph.onnx": b"\x00\x01",
}


@pytest.fixture
def folder(tmp_path):
    BOX.write(tmp_path / "shop", FILES, about={"trained_until": 7})
    return tmp_path / "shop"


def test_what_is_written_is_read(folder):
    found = BOX.read(folder)
    np.testing.assert_array_equal(found.tensors("model/ease.safetensors")["weights"], np.eye(3))
    np.testing.assert_array_equal(found.array("vectors.npy"), FILES["vectors.npy"])
    assert (found.text("config.toml"), found.content("graph.onnx")) == ("seed = 1\n", b"\x00\x01")
    assert (found.kind, found.about) == ("bundle", {"trained_until": 7})
    assert sorted(path.name for path in folder.parent.iterdir()) == ["shop"]
    assert BOX.manifest(folder).files["graph.onnx"].size == 2


def test_a_file_that_it_has_not(folder):
    with pytest.raises(BundleError, match=r"has no file 'x'. It has: config.toml"):
        BOX.read(folder).content("x")


def test_missing_folder(tmp_path):
    with pytest.raises(BundleError, match=r"There is no bundle at .*Check the path"):
        BOX.read(tmp_path / "nowhere")


def test_missing_file(folder):
    (folder / "graph.onnx").unlink()
    with pytest.raises(BundleError, match=r"graph.onnx is missing"):
        BOX.read(folder)


def test_truncated_file(folder):
    (folder / "config.toml").write_text("seed")
    with pytest.raises(BundleError, match=r"config.toml has 4 bytes instead of 9. It is cut"):
        BOX.read(folder)


def test_altered_file(folder):
    (folder / "graph.onnx").write_bytes(b"\x00\x02")
    with pytest.raises(BundleError, match=r"graph.onnx was altered"):
        BOX.read(folder)


def test_unknown_extra_file(folder):
    (folder / "model" / "payload.pkl").write_bytes(b"")
    with pytest.raises(BundleError, match=r"not written with: model/payload.pkl"):
        BOX.read(folder)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format": 2}, "format 2; expected 'bundle', format 1"),
        ({"kind": "checkpoint"}, "kind 'checkpoint'"),
        ({"files": {"a": {}}}, "is damaged"),
        ({"more": 1}, "is damaged"),
        ({"files": {"../a": {"sha256": "", "size": 0}}}, "no name of a file inside"),
    ],
)
def test_other_manifests(folder, change, said):
    manifest = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps(manifest | change))
    for name in list(FILES) if "../a" in str(change) else ():
        (folder / name).unlink()
    with pytest.raises(BundleError, match=said):
        BOX.read(folder)


@pytest.mark.parametrize("text", [b"", b"{", b"\xff", b"[]"])
def test_a_manifest_that_cannot_be_read(folder, text):
    (folder / MANIFEST).write_bytes(text)
    with pytest.raises(BundleError, match=r"is damaged|is of kind None"):
        BOX.read(folder)


def test_a_place_that_is_taken(folder):
    with pytest.raises(BundleError, match=r"exists already. Name another folder, or replace it"):
        BOX.write(folder, FILES)
    (folder.parent / "file").write_text("")
    with pytest.raises(BundleError, match="is a file, not a bundle"):
        BOX.write(folder.parent / "file", FILES, replace=True)
    (folder.parent / "photos").mkdir()
    (folder.parent / "photos" / "me.png").write_text("")
    with pytest.raises(BundleError, match="There is no bundle at"):
        BOX.write(folder.parent / "photos", FILES, replace=True)


def test_replacing(folder):
    BOX.write(folder, {"a.npy": np.zeros(1)}, replace=True)
    assert list(BOX.read(folder).files) == ["a.npy"]
    assert sorted(path.name for path in folder.parent.iterdir()) == ["shop"]


def test_an_empty_folder_is_free(tmp_path):
    (tmp_path / "shop").mkdir()
    BOX.write(tmp_path / "shop", {"a.txt": "hi"})
    assert BOX.read(tmp_path / "shop").text("a.txt") == "hi"


@pytest.mark.parametrize("failing", ["graph.onnx", MANIFEST])
def test_whole_or_not_at_all(folder, monkeypatch, failing):
    from inkling.stores import artifacts

    write = artifacts._write_file

    def broken(path, data):
        if path.name == failing:
            raise OSError(28, "No space left on device")
        write(path, data)

    monkeypatch.setattr(artifacts, "_write_file", broken)
    for target, replace in ((folder, True), (folder.parent / "fresh", False)):
        with pytest.raises(BundleError, match=r"No space left on device. Nothing was changed"):
            BOX.write(target, FILES, replace=replace)
    assert sorted(path.name for path in folder.parent.iterdir()) == ["shop"]
    assert set(BOX.read(folder).files) == set(FILES)


def test_a_failing_rename_puts_the_old_one_back(folder, monkeypatch):
    from pathlib import Path

    rename = Path.rename

    def broken(path, target):
        if path.name.endswith(".new"):
            raise OSError(5, "Input/output error")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", broken)
    with pytest.raises(BundleError, match="Input/output error"):
        BOX.write(folder, {"a.txt": "hi"}, replace=True)
    assert set(BOX.read(folder).files) == set(FILES)


@pytest.mark.parametrize("name", ["", ".", "/a", "../a", "a/../b", "a//b", "a\\b", "c:a", MANIFEST])
def test_names_stay_inside(tmp_path, name):
    with pytest.raises(BundleError, match="no name of a file inside the folder"):
        BOX.write(tmp_path / "shop", {name: b""})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [np.array([None]), np.zeros(2), {"a": np.zeros(2)}, 3])
def test_contents_that_do_not_fit(tmp_path, content):
    name = "a.npy" if isinstance(content, np.ndarray) and content.dtype.hasobject else "a.bin"
    with pytest.raises(BundleError, match=r"'a.*' cannot hold"):
        BOX.write(tmp_path / "shop", {name: content})


def test_an_about_that_is_no_data(tmp_path):
    with pytest.raises(BundleError, match="no plain data"):
        BOX.write(tmp_path / "shop", {}, about={"a": object()})


def test_a_pickle_is_never_loaded(tmp_path):
    import io

    buffer = io.BytesIO()
    np.save(buffer, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    BOX.write(tmp_path / "shop", {"a.npy": buffer.getvalue(), "b.npy": b"junk"})
    for name in ("a.npy", "b.npy"):
        with pytest.raises(BundleError, match="no array of plain numbers"):
            BOX.read(tmp_path / "shop").array(name)

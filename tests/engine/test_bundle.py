"""A bundle: written whole or not at all, read only as it was written, forgetting whom it is told to forget."""

from __future__ import annotations

import json
import shutil

import numpy as np
import polars as pl
import pytest

import inkling
from inkling.core.errors import BundleError
from inkling.engine.bundle import Bundle


@pytest.fixture
def copy(saved, tmp_path):
    shutil.copytree(saved, tmp_path / "copy")
    return tmp_path / "copy"


def files_of(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_a_bundle_reads_back_as_it_was_written(saved, copy, tmp_path):
    found = Bundle.read(saved)
    assert (found.pipeline_name, found.scenario.name, found.path) == ("default", "toys", saved)
    assert found.quality["default"] > 0.5
    assert found.base.until == int(found.base.interactions.ts.max())
    found.write(tmp_path / "again")
    names = [path.relative_to(saved).as_posix() for path in files_of(saved)]
    assert [path.relative_to(tmp_path / "again").as_posix() for path in files_of(tmp_path / "again")] == names
    for name in names:
        if not name.endswith(".parquet"):
            assert (tmp_path / "again" / name).read_bytes() == (saved / name).read_bytes(), name
    again = Bundle.read(tmp_path / "again")
    assert again.base.items.frame.equals(found.base.items.frame)
    assert again.base.user_ids.ids() == found.base.user_ids.ids()


def test_nothing_in_it_is_executable(saved):
    kinds = {path.suffix for path in files_of(saved)}
    assert kinds <= {".json", ".safetensors", ".npy", ".parquet"}
    assert all(path.read_bytes()[:2] != b"\x80\x04" for path in files_of(saved))  # how a pickle begins
    assert json.loads((saved / "manifest.json").read_text())["about"]["trained_until"] > 0


@pytest.mark.parametrize(
    "name", ["manifest.json", "history/users.json", "pipeline/features.safetensors", "catalogue/items.parquet"]
)
@pytest.mark.parametrize("damage", ["cut", "altered", "gone"])
def test_a_damaged_file_is_named(copy, name, damage):
    path = copy / name
    data = path.read_bytes()
    if damage == "cut":
        path.write_bytes(data[: len(data) // 2])
    elif damage == "altered":
        place = data.index(b"sha256") + 10 if name == "manifest.json" else len(data) // 2
        path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
    else:
        path.unlink()
    with pytest.raises(
        BundleError, match=path.name.replace(".", r"\.") if name != "manifest.json" else "manifest|altered"
    ):
        inkling.open("memory://", bundle=copy)


def test_a_file_too_many_is_refused(copy):
    (copy / "pipeline" / "more.py").write_text("print('hello')")
    with pytest.raises(BundleError, match=r"files that it was not written with: pipeline/more\.py"):
        Bundle.read(copy)


def test_a_folder_that_is_no_bundle(tmp_path, saved):
    with pytest.raises(BundleError, match="There is no bundle at"):
        inkling.open("memory://", bundle=tmp_path / "none")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "diary.txt").write_text("dear diary")
    with pytest.raises(BundleError, match="There is no bundle at"):
        Bundle.read(saved).write(tmp_path / "mine")
    assert (tmp_path / "mine" / "diary.txt").read_text() == "dear diary"


def test_a_person_is_forgotten_in_every_file(copy, shop):
    secret = "u17"
    with inkling.open("memory://", bundle=copy) as engine:
        others = [f"u{n}" for n in range(10)]
        before = engine.recommend(others, k=5)
        receipt = engine.erase(secret)
        assert receipt.removed["bundle"] == 5  # four events and the person
        assert [answer.items for answer in engine.recommend(others, k=5)] == [answer.items for answer in before]
        assert engine.history(secret) == []
        assert engine.erase(secret).removed["bundle"] == 0
    for path in files_of(copy):
        assert secret.encode() not in path.read_bytes(), path
        if path.suffix == ".parquet":
            assert secret not in str(pl.read_parquet(path).rows())
    with inkling.open("memory://", bundle=copy) as again:
        assert secret not in again.find_users(limit=100)
        assert len(again.find_users(limit=100)) == 39
        assert again.history(secret) == []
        assert again.about()["n_events"] == 4 * 39
        assert [answer.item_ids for answer in again.recommend(others, k=5)] == [answer.item_ids for answer in before]


def test_people_and_links_forget_too(tmp_path, saved):
    found = Bundle.read(saved)
    from dataclasses import replace

    from inkling.core.tables import Links, People

    people = People(pl.DataFrame({"user_id": found.base.user_ids.ids(), "about": ["x"] * 40}))
    links = Links(pl.DataFrame({"user_id": ["u1", "u2", "u3"], "friend_id": ["u2", "u3", "u1"]}))
    found.base = replace(found.base, people=people, links=links)
    found.write(tmp_path / "more")
    assert found.erase("u1") == 5
    again = Bundle.read(tmp_path / "more")
    assert again.base.links.frame.rows() == [("u2", "u3")]
    assert "u1" not in again.base.people.frame["user_id"].to_list()
    assert again.base.people.frame.height == 39
    assert found.erase("somebody else") == 0


def test_a_bundle_knows_which_log_it_came_from(shop, tmp_path):
    with shop.fitted(f"file://{tmp_path}/store") as engine:
        assert engine.bundle.reflects(engine._log) == engine.bundle.state_version > 0
        engine.save(tmp_path / "bundle")
    found = Bundle.read(tmp_path / "bundle")
    with inkling.open("memory://") as other:
        assert found.reflects(other._log) == 0  # a log that does not know it is applied from its beginning
    assert np.array_equal(found.base.known_items, np.ones(10, dtype=np.bool_))

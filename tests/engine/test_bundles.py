"""Bundles beside each other, and a pointer that is whole at any moment."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from inkling.core.errors import BundleError
from inkling.engine.bundle import Bundle
from inkling.engine.bundles import KEEP, POINTER, Bundles


@pytest.fixture
def place(saved, tmp_path):
    Bundle.read(saved).write(tmp_path / "shop")
    return tmp_path / "shop"


def another(place, name):
    return replace(Bundle.read(place), id=name, path=None)


def test_a_single_bundle_is_where_all_begins(place):
    bundles = Bundles(place)
    assert bundles.current() == place
    path = bundles.add(another(place, "b1"), {"why": "better"})
    assert path == place.parent / "shop.bundles" / "b1"
    assert Bundles(place).current() == Bundles(place.parent / "shop.bundles").current() == path
    assert Bundle.read(path).id == "b1"
    assert bundles.rollback() == place
    assert Bundles(place).current() == place
    with pytest.raises(BundleError, match="no bundle to go back to"):
        bundles.rollback()
    assert [note["bundle"] for note in bundles.pointer().notes] == ["b1", ""]


def test_the_oldest_leave(place):
    bundles = Bundles(place)
    for n in range(KEEP + 3):
        bundles.add(another(place, f"b{n}"), {})
    there = {path.name for path in bundles.folder.iterdir() if path.is_dir()}
    assert there == {f"b{n}" for n in range(2, KEEP + 3)}
    assert bundles.pointer().before == tuple(f"b{n}" for n in range(2, KEEP + 2))
    assert place.is_dir()


def test_what_was_refused_is_noted(place):
    bundles = Bundles(place)
    bundles.note({"accepted": False, "why": "worse"})
    assert bundles.current() == place
    assert bundles.pointer().notes == ({"accepted": False, "why": "worse"},)


def test_a_crash_while_the_pointer_is_written_leaves_the_old_one(place, monkeypatch):
    bundles = Bundles(place)
    bundles.add(another(place, "b1"), {})
    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        with pytest.raises(BundleError, match="cannot be written: No space left"):
            bundles.rollback()
    assert bundles.current().name == "b1"


def test_a_damaged_pointer_and_names_that_lead_elsewhere(place):
    bundles = Bundles(place)
    for name in ("..", "../shop", "none"):
        with pytest.raises(BundleError, match="There is no bundle"):
            bundles.path(name)
    bundles.folder.mkdir()
    (bundles.folder / POINTER).write_text("{")
    with pytest.raises(BundleError, match=r"current.json is damaged"):
        bundles.current()
    with pytest.raises(BundleError, match="There is no bundle ''"):
        Bundles(place.parent / "empty").current()

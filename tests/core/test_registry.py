"""The folder is the catalogue, and strangers come in through the same door."""

from __future__ import annotations

import importlib
import sys
import types
from pathlib import Path

import pytest

from inkling.core.errors import ConfigError
from inkling.core.registry import Registry

KINDS = ("retrieval", "ranking", "policy", "encoders", "engine.pipelines")


@pytest.mark.parametrize("kind", KINDS)
def test_each_file_is_one_thing_of_its_name(kind):
    registry = Registry(f"inkling.{kind}", kind="thing")
    folder = Path(importlib.import_module(registry.package).__path__[0])
    files = {path.stem for path in folder.glob("*.py") if not path.stem.startswith("_")} - {"base", "reference"}
    assert files
    assert set(registry.names()) >= files
    for name in files:
        made = registry.get(name)
        assert isinstance(made, type)
        assert made.name == name
        assert made.__module__ == f"inkling.{kind}.{name}"


def test_an_unknown_name_shows_the_way():
    with pytest.raises(ConfigError, match=r"There is no retriever named 'popluar'\. Did you mean 'popular'\?"):
        Registry("inkling.retrieval", kind="retriever").get("popluar")


def write_distribution(folder: Path) -> None:
    """Lay out an installed distribution that brings one class by name and one package of files."""
    (folder / "acme_one.py").write_text("class Best:\n    name = 'best'\n")
    (folder / "acme_many").mkdir()
    (folder / "acme_many" / "__init__.py").write_text("")
    (folder / "acme_many" / "quick.py").write_text("class Quick:\n    name = 'quick'\nclass Other:\n    name = 'x'\n")
    (folder / "acme_many" / "_inner.py").write_text("")
    (folder / "acme_many" / "nameless.py").write_text("class Nameless:\n    pass\n")
    info = folder / "acme-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[inkling.retrieval]\nbest = acme_one:Best\nmany = acme_many\n")


@pytest.fixture
def acme(tmp_path, monkeypatch):
    write_distribution(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield Registry("inkling.retrieval", kind="retriever")
    for name in [name for name in sys.modules if name.startswith("acme_")]:
        del sys.modules[name]


def test_strangers_come_in_through_entry_points(acme):
    assert {"best", "quick", "popular"} <= set(acme.names())
    assert "_inner" not in acme.names()
    assert acme.get("best").__module__ == "acme_one"
    assert acme.get("quick").__name__ == "Quick"
    assert acme.get("popular").__module__ == "inkling.retrieval.popular"


def test_a_file_without_its_class_is_an_error(acme):
    with pytest.raises(ConfigError, match=r"acme_many\.nameless must define one class with name = 'nameless', found 0"):
        acme.get("nameless")


def test_a_class_that_is_only_imported_does_not_count(monkeypatch):
    package, file = types.ModuleType("toys"), types.ModuleType("toys.ball")
    package.__path__ = []
    file.Ball = type("Ball", (), {"name": "ball", "__module__": "elsewhere"})
    monkeypatch.setitem(sys.modules, "toys", package)
    monkeypatch.setitem(sys.modules, "toys.ball", file)
    registry = Registry("toys", kind="toy")
    registry.__dict__["_places"] = {"ball": "toys.ball"}
    with pytest.raises(ConfigError, match="found 0"):
        registry.get("ball")

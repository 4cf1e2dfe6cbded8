"""Rules of the house that no linter knows: small files, honest names, no data that is run, a test for each thing."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest

import inkling
from inkling.core.registry import Registry

ROOT = Path(inkling.__file__).parent
TESTS = Path(__file__).parents[1]
FILES = sorted(ROOT.rglob("*.py"))
MAX_LINES = 600
BANNED_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "misc"}
BANNED_MODULES = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}
BANNED_CALLS = {"eval", "exec", "compile", "__import__"}
KINDS = ("retrieval", "ranking", "policy", "encoders")


def name_of(path):
    return path.relative_to(ROOT).as_posix()


def imported(node):
    """Return the top modules that a statement imports."""
    if isinstance(node, ast.Import):
        return {alias.name.split(".")[0] for alias in node.names}
    return {(node.module or "").split(".")[0]} if isinstance(node, ast.ImportFrom) and not node.level else set()


def executable(node):
    """Tell whether a node reads or runs code that came as data."""
    if imported(node) & BANNED_MODULES:
        return True
    if not isinstance(node, ast.Call):
        return False
    called = node.func
    if isinstance(called, ast.Name):
        return called.id in BANNED_CALLS
    if not isinstance(called, ast.Attribute) or called.attr != "load":
        return False
    owner = called.value.id if isinstance(called.value, ast.Name) else ""
    safe = {key.arg for key in node.keywords if getattr(key.value, "value", None) is (key.arg != "allow_pickle")}
    return (owner == "torch" and "weights_only" not in safe) or (owner == "np" and "allow_pickle" not in safe)


def test_there_is_a_house():
    assert len(FILES) > 100


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_file_is_small_well_named_and_runs_nothing_that_came_as_data(path):
    source = path.read_text(encoding="utf-8")
    assert len(source.splitlines()) <= MAX_LINES
    assert path.stem.strip("_") not in BANNED_NAMES
    assert not [node.lineno for node in ast.walk(ast.parse(source)) if executable(node)]


@pytest.mark.parametrize(
    ("code", "banned"),
    [
        ("import pickle", True),
        ("from joblib import load", True),
        ("eval('1')", True),
        ("torch.load(f)", True),
        ("torch.load(f, weights_only=True)", False),
        ("np.load(f)", True),
        ("np.load(f, allow_pickle=True)", True),
        ("np.load(f, allow_pickle=False)", False),
        ("column.list.eval(x)", False),
        ("engine.load(path)", False),
    ],
)
def test_the_rule_itself(code, banned):
    assert any(executable(node) for node in ast.walk(ast.parse(code))) is banned


@pytest.mark.parametrize("kind", KINDS)
def test_each_registered_thing_has_a_test_of_its_name(kind):
    names = {
        name for name in Registry(f"inkling.{kind}", kind="thing").names() if (ROOT / kind / f"{name}.py").exists()
    }
    assert names
    assert {name for name in names if not (TESTS / kind / f"test_{name}.py").exists()} == set()


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_built_in_comes_in_through_the_strangers_door(kind):
    registry = Registry(f"inkling.{kind}", kind="thing")
    folder = Path(importlib.import_module(registry.package).__path__[0])
    assert all(
        Path(importlib.import_module(registry.get(n).__module__).__file__).parent == folder for n in registry.names()
    )


def test_an_unknown_public_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'inkling' has no attribute 'opne'"):
        _ = inkling.opne
    assert inkling.open.__name__ == "open_engine"

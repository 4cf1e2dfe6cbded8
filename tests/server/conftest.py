"""A toy shop behind the real application."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from inkling.server import create_app


def _load_fake():
    """Load the neighbour by its path: test folders are no packages."""
    spec = importlib.util.spec_from_file_location("fake_engine", Path(__file__).with_name("fake_engine.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


FakeEngine = _load_fake().FakeEngine
TITLES = ["red mug", "blue mug", "tea pot", "green tea", "desk lamp", "lunch bag", "paper chain", "alarm clock"]


def toy_rows():
    """Return a catalogue of eight things and the acts of three people."""
    items = [{"item_id": str(n), "title": title, "price": 1.5 * n} for n, title in enumerate(TITLES)]
    pairs = [("ann", "0"), ("ann", "2"), ("ann", "3"), ("bob", "1"), ("bob", "2"), ("cat", "4"), ("cat", "5")]
    return items, [{"user_id": user, "item_id": item, "event": "purchase"} for user, item in pairs]


@pytest.fixture
def engine():
    made = FakeEngine()
    items, events = toy_rows()
    made.put_items(items)
    made.ingest(events)
    made.writer_threads.clear()
    return made


@pytest.fixture
def client(engine):
    with TestClient(create_app(engine)) as made:
        yield made

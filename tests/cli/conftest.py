"""A small shop in which people have tastes, as a data folder and as a bundle."""

from __future__ import annotations

import csv
import random
from pathlib import Path

import pytest

from inkling.cli import main

COLOURS = ("red", "blue", "green")
THINGS = ("mug", "plate", "bowl", "lamp", "candle", "clock")


def write_shop(folder: Path, *, n_users: int = 45, n_days: int = 60, seed: int = 0) -> Path:
    """Write a shop whose people each like one colour; user 0 likes red."""
    rng = random.Random(seed)
    items = [(f"{colour}-{thing}", f"{colour} {thing}", colour) for colour in COLOURS for thing in THINGS]
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "items.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("item_id", "title", "categories"), *items])
    rows = []
    for user in range(n_users):
        own = [item for item in items if item[2] == COLOURS[user % 3]]
        for _ in range(14):
            item = rng.choice(own if rng.random() < 0.9 else items)
            second = 1_600_000_000 + rng.randrange(n_days * 86_400)
            rows.append((f"u{user}", item[0], second, "purchase", rng.choice(("GB", "FR"))))
    with (folder / "events.csv").open("w", newline="") as file:
        csv.writer(file).writerows(
            [("user_id", "item_id", "timestamp", "event", "context.country"), *sorted(rows, key=lambda r: r[2])]
        )
    (folder / "dataset.toml").write_text('name = "shop"\nscenario = "retail"\ntime = "real"\n')
    return folder


@pytest.fixture(scope="session")
def shop(tmp_path_factory):
    return write_shop(tmp_path_factory.mktemp("data") / "shop")


@pytest.fixture(scope="session")
def make_shop():
    return write_shop


@pytest.fixture(scope="session")
def quick():
    return QUICK


QUICK = ("--set", "n_windows=1", "--set", "order=fused")


@pytest.fixture(scope="session")
def bundle(shop, tmp_path_factory):
    out = tmp_path_factory.mktemp("out") / "bundle"
    assert main(["fit", str(shop), "--out", str(out), *QUICK]) == 0
    return out

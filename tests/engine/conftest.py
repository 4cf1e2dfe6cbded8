"""A small shop in which tastes are known, and quick settings of the default pipeline."""

from __future__ import annotations

import numpy as np
import pytest

import inkling
from inkling.core.scenario import Scenario

DAY = 86_400_000
START = 1_600_000_000_000
WORDS = {"cat": ("food", "toy", "bed", "brush", "litter"), "car": ("tyre", "wax", "lamp", "mirror", "mat")}
ITEMS = [
    {"item_id": f"{kind}-{word}", "title": f"{kind} {word}", "categories": [kind], "price": float(n + 1)}
    for kind, words in WORDS.items()
    for n, word in enumerate(words)
]
SCENARIO = Scenario(name="toys", positive={"purchase": 1.0}, signals={"view": 0.2}, seen="drop", context=("country",))
QUICK = {
    "members": {
        "popular": {"retriever": "popular", "settings": {"half_life_days": 7.0}, "k": 30},
        "itemknn": {"retriever": "itemknn", "k": 30},
        "semantic": {"retriever": "semantic", "settings": {"encoder": "hashing"}, "k": 30},
    },
    "encoder": "hashing",
    "n_windows": 2,
    "order": "fused",
}


def shop_events(n_users=40, seed=0):
    """Each person likes cats or cars and takes four things of that kind, one a day."""
    rng = np.random.default_rng(seed)
    rows = []
    for user in range(n_users):
        kind = ("cat", "car")[user % 2]
        for step, word in enumerate(rng.permutation(WORDS[kind])[:4].tolist()):
            ts = START + (user // 2 + step * 5) * DAY + user * 1000
            country = {"context": {"country": ("FR", "ES")[user % 2]}}
            rows.append(
                {"user_id": f"u{user}", "item_id": f"{kind}-{word}", "event": "purchase", "timestamp": ts} | country
            )
    return sorted(rows, key=lambda row: row["timestamp"])


def missing(events, user):
    """Return the one thing of their kind that a person has not had."""
    mine = {row["item_id"] for row in events if row["user_id"] == user}
    kind = next(iter(mine)).split("-")[0]
    return next(f"{kind}-{word}" for word in WORDS[kind] if f"{kind}-{word}" not in mine)


class Shop:
    """What the tests of this folder build with."""

    ITEMS, SCENARIO, QUICK, DAY, START = ITEMS, SCENARIO, QUICK, DAY, START
    events = staticmethod(shop_events)
    missing = staticmethod(missing)

    @staticmethod
    def fitted(url="memory://", **settings):
        """Return an engine that learned from its own log of the shop."""
        engine = inkling.open(url, scenario=SCENARIO)
        engine.put_items(ITEMS)
        engine.observe(shop_events())
        return engine.fit(settings={**QUICK, **settings})


@pytest.fixture(scope="session")
def shop():
    return Shop


@pytest.fixture(scope="session")
def saved(tmp_path_factory):
    """A bundle of the shop on disk; not to be changed."""
    folder = tmp_path_factory.mktemp("bundles") / "shop"
    with Shop.fitted() as engine:
        engine.save(folder)
    return folder

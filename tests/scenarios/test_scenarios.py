"""Each scenario on real data that fits: load, fit something cheap, ask, and check what must be true."""

from pathlib import Path

import numpy as np
import pytest

from inkling import datasets, scenarios
from inkling.core.errors import ConfigError
from inkling.core.tables import Events
from inkling.engine.engine import open_engine
from inkling.engine.pipeline import PIPELINES
from inkling.events.folder import with_events
from inkling.events.schema import apply_info

CHEAP = {
    "encoder": "hashing",
    "n_windows": 1,
    "order": "fused",
    "members": {
        "popular": {"retriever": "popular"},
        "repeat": {"retriever": "repeat"},
        "markov": {"retriever": "markov"},
    },
}


def test_the_folder_is_the_catalogue():
    folder = Path(scenarios.__file__).parent
    found = {path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith("__")}
    assert {*found, "general"} == set(scenarios.names())
    assert found == {"retail", "video", "music", "news", "social", "home", "finance"}


@pytest.mark.parametrize("name", scenarios.names())
def test_each_says_what_counts(name):
    scenario = scenarios.load(name)
    assert scenario.name == name
    assert scenario.positive.get("interaction", 0) > 0
    assert all(weight > 0 for weight in scenario.positive.values())
    assert set(scenario.takes_back.values()) <= {*scenario.positive, *scenario.signals}
    assert set(scenario.positive_value) <= set(scenario.positive)
    assert not set(scenario.positive) & set(scenario.signals)


@pytest.mark.parametrize("name", [name for name in scenarios.names() if name != "general"])
def test_each_has_a_page_and_settings_that_fit(name):
    page = (Path(scenarios.__file__).parent / name / "README.md").read_text()
    assert page.startswith(f"# {name}\n")
    scenario = scenarios.load(name)
    assert f'seen = "{scenario.seen}"' in page
    from inkling.core.config import parse

    kind = PIPELINES.get(scenario.pipeline)
    assert parse(kind.Config, scenario.settings, where=name) is not None


def test_an_unknown_one_names_the_nearest():
    with pytest.raises(ConfigError, match=r"Did you mean 'retail'\?"):
        scenarios.load("retial")


def part(folder, n):
    """Return the last ``n`` events of the people who have most of them."""
    return with_events(folder, Events(folder.events.frame.sort("timestamp", maintain_order=True).tail(n)))


@pytest.mark.parametrize(
    ("name", "data", "n_events"),
    [
        ("retail", "online-retail", 40_000),
        ("video", "movielens-small", 20_000),
        ("news", "questions", 5_000),
        ("home", "smarthome", 8_000),
        ("finance", "insurance", 20_000),
        ("music", "lastfm", 100_000),
        ("social", "lastfm", 100_000),
    ],
)
def test_each_on_data_that_fits(name, data, n_events, request):
    root = None if data == "online-retail" else request.getfixturevalue("data_root")
    folder = part(datasets.load(data, root), n_events)
    scenario = scenarios.load(name)
    wanted = apply_info(scenario, folder.info)
    with open_engine() as engine:
        engine.fit(folder, scenario=scenario, settings=CHEAP)
        assert engine.scenario == wanted
        base = engine.bundle.base
        people = [base.user_ids.id_of(int(row)) for row in np.unique(base.interactions.user_rows)[:20]]
        answers = engine.recommend(people, k=5)
        own = [{event["item_id"] for event in engine.history(user, limit=10_000)} for user in people]
        assert all(len(answer.items) == min(5, base.n_items) or wanted.seen == "drop" for answer in answers)
        assert sum(len(answer.items) for answer in answers) >= 40
        again = sum(bool(seen & set(answer.item_ids)) for seen, answer in zip(own, answers, strict=True))
        assert again == 0 if wanted.seen == "drop" else again > 0


def test_a_rating_below_the_bar_is_history_and_no_target(data_root):
    folder = part(datasets.load("movielens-small", data_root), 5_000)
    with open_engine() as engine:
        engine.fit(folder, scenario=scenarios.load("video"), settings=CHEAP)
        events = engine.bundle.base.interactions
    rated = np.array(events.event_names)[events.events] == "rating"
    assert np.array_equal(events.positive, rated & (events.values >= 3.5))
    assert 0.3 < events.positive.mean() < 0.9


def test_friends_are_known(data_root):
    folder = datasets.load("lastfm", data_root)
    with open_engine() as engine:
        engine.fit(folder, scenario=scenarios.load("social"), settings=CHEAP)
        assert len(engine.bundle.base.links) > 10_000

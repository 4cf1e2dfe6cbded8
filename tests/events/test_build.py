import numpy as np
import polars as pl

from inkling.core.scenario import Scenario
from inkling.core.tables import Events, Items, Links, People
from inkling.core.vocabulary import Vocabulary
from inkling.events.build import build_dataset
from inkling.events.fingerprint import fingerprint_rows

SCHEMA = {"user_id": pl.String, "item_id": pl.String, "timestamp": pl.Int64, "event": pl.String, "value": pl.Float32}
SCENARIO = Scenario(
    positive={"buy": 2.0, "rate": 1.0},
    positive_value={"rate": 3.5},
    signals={"view": 0.25},
    takes_back={"cancel": "buy"},
    context=("device", "weather"),
)


def events(*rows, **more):
    frame = pl.DataFrame(list(rows), schema=SCHEMA, orient="row")
    return Events(frame.with_columns(pl.Series(name, column) for name, column in more.items()))


WORLD = events(
    ("b", "y", 20, "view", None),
    ("a", "x", 10, "buy", 1.0),
    ("a", "y", 20, "rate", 3.5),
    ("b", "x", 20, "rate", 3.0),
    ("b", "z", 30, "rate", None),
    ("a", "x", 40, "cancel", -1.0),
    ("a", "x", 40, "seen", None),
    **{"context.device": ["tv", "pc", None, "pc", "pc", "pc", "pc"]},
)


def test_events_come_sorted_with_ties_in_order():
    got = build_dataset(WORLD, SCENARIO).interactions
    assert got.ts.tolist() == [10, 20, 20, 20, 30, 40, 40]
    assert got.user_rows.tolist() == [0, 1, 0, 1, 1, 0, 0]
    assert got.item_rows.tolist() == [0, 1, 1, 0, 2, 0, 0]


def test_weights_follow_the_scenario():
    got = build_dataset(WORLD, SCENARIO).interactions
    assert got.weights.tolist() == [2.0, 0.25, 1.0, 0.0, 0.0, 0.0, 0.0]
    assert got.positive.tolist() == [True, False, True, False, False, False, False]
    assert got.event_names == ("buy", "rate", "view", "cancel", "seen")
    assert [got.event_names[code] for code in got.events] == ["buy", "view", "rate", "rate", "rate", "cancel", "seen"]
    assert np.isnan(got.values).tolist() == [False, True, False, False, True, False, True]


def test_context_is_coded_and_what_is_lacking_is_missing():
    got = build_dataset(WORLD, SCENARIO).interactions
    assert got.context_values == {"device": ("pc", "tv"), "weather": ()}
    assert got.context["device"].tolist() == [0, 1, -1, 0, 0, 0, 0]
    assert got.context["weather"].tolist() == [-1] * 7


def test_nothing_is_younger_than_until():
    data = build_dataset(WORLD, SCENARIO, until=20)
    assert data.interactions.ts.max() == 20
    assert data.until == 20
    assert data.item_ids.ids() == ["x", "y"]
    assert build_dataset(WORLD, SCENARIO).until == 40


def test_known_items_are_those_that_existed():
    items = Items(
        pl.DataFrame({"item_id": ["old", "new", "x", "always"], "created_at": [5, 25, 99, None], "title": list("abcd")})
    )
    data = build_dataset(WORLD, SCENARIO, items=items, until=20)
    known = dict(zip(data.item_ids.ids(), data.known_items.tolist(), strict=True))
    assert known == {"x": True, "y": True, "old": True, "new": False, "always": True}
    assert data.items.frame["item_id"].to_list() == data.item_ids.ids()
    assert data.items.frame["title"].to_list() == ["c", None, "a", "b", "d"]


def test_shared_vocabularies_grow_and_never_renumber():
    users, items = Vocabulary(["b"]), Vocabulary(["z", "gone"])
    data = build_dataset(WORLD, SCENARIO, user_ids=users, item_ids=items)
    assert data.user_ids is users
    assert users.ids() == ["b", "a"]
    assert items.ids() == ["z", "gone", "x", "y"]
    assert data.known_items.tolist() == [True, False, True, True]


def test_people_and_links_come_along():
    people = People(pl.DataFrame({"user_id": ["b", "stranger"], "about": ["hi", "ho"]}))
    links = Links(pl.DataFrame({"user_id": ["a"], "friend_id": ["b"], "weight": [1.0]}))
    data = build_dataset(WORLD, SCENARIO, people=people, links=links)
    assert data.people.frame.rows() == [("a", None), ("b", "hi")]
    assert data.links is links


def test_a_session_without_a_person_is_the_person():
    world = events(
        (None, "x", 1, "buy", 1.0), (None, "x", 2, "buy", 1.0), ("a", "x", 3, "buy", 1.0), ("a", None, 4, "buy", 1.0),
        session_id=["s", None, "s", "s"],
    )  # fmt: skip
    data = build_dataset(world, SCENARIO)
    assert data.user_ids.ids() == ["session:s", "a"]
    assert len(data.interactions) == 2


def test_no_events_at_all():
    data = build_dataset(events(), SCENARIO, items=Items(pl.DataFrame({"item_id": ["x"]})))
    assert (len(data.interactions), data.n_users, data.n_items, data.until) == (0, 0, 1, 0)
    assert data.known_items.tolist() == [True]


def test_the_fingerprint_is_that_of_the_sorted_rows_and_of_nothing_else():
    import hashlib
    import json

    rows = sorted(row[:4] for row in WORLD.frame.rows())
    text = "".join(json.dumps(list(row), ensure_ascii=False, separators=(",", ":")) + "\n" for row in rows)
    assert build_dataset(WORLD, SCENARIO).fingerprint == hashlib.sha256(text.encode()).hexdigest()
    shuffled = WORLD.frame.sample(fraction=1, shuffle=True, seed=3)
    assert fingerprint_rows(shuffled) == fingerprint_rows(WORLD.frame)
    assert fingerprint_rows(WORLD.frame.head(3)) != fingerprint_rows(WORLD.frame)


def test_fingerprints_sort_texts_by_code_point_and_escape_as_json():
    import hashlib

    frame = events(("é", 'q"', 1, "buy", None), ("Z", "京", 1, "buy", None), (None, "x", 1, "buy", None)).frame
    text = '[null,"x",1,"buy"]\n["Z","京",1,"buy"]\n["é","q\\"",1,"buy"]\n'
    assert fingerprint_rows(frame) == hashlib.sha256(text.encode()).hexdigest()


def test_what_was_said_comes_along():
    rows = [("u", "a", 2, "view", None), ("u", "b", 1, "view", None)]
    told = build_dataset(events(*rows, text=["later", None]), SCENARIO)
    assert told.interactions.texts.tolist() == [None, "later"]
    assert told.cut(1).interactions.texts.tolist() == [None]
    silent = build_dataset(events(*rows), SCENARIO)
    assert len(silent.interactions.texts) == len(silent.cut(1).interactions.texts) == 0

"""Cleaning in worlds by hand: each rule does what it says, is counted, and can be switched off."""

import polars as pl
import pytest

from inkling.core.errors import ConfigError
from inkling.core.scenario import Cleaning, Scenario
from inkling.core.tables import Events, Items, People
from inkling.events.clean import clean_items, clean_part, clean_people, clean_rows

OFF = Cleaning(
    drop_missing_user=False, drop_missing_item=False, clean_text=False, duplicates=False, cancellations=False
)
SHOP = {"positive": {"buy": 1.0}, "takes_back": {"cancel": "buy"}}


def events(*rows, **more):
    frame = pl.DataFrame(
        list(rows),
        schema={
            "user_id": pl.String,
            "item_id": pl.String,
            "timestamp": pl.Int64,
            "event": pl.String,
            "value": pl.Float32,
        },
        orient="row",
    )
    return Events(frame.with_columns(pl.Series(name, column) for name, column in more.items()))


def shop(**cleaning):
    base = {name: getattr(OFF, name) for name in OFF.__struct_fields__}
    return Scenario(**SHOP, cleaning=Cleaning(**{**base, **cleaning}))


def rows_of(cleaned):
    return cleaned.frame.select("user_id", "item_id", "timestamp", "event", "value").rows()


WORLD = (
    ("u", "i", 1, "buy", 1.0),
    (None, "i", 2, "buy", 1.0),
    ("u", None, 3, "buy", 1.0),
    ("u", "POST", 4, "buy", 0.0),
)


def test_row_rules_that_are_off_do_nothing():
    cleaned, report = clean_rows(events(*WORLD), shop())
    assert len(cleaned) == 4
    assert report.rules == ()
    assert (report.before, report.after) == (4, 4)


@pytest.mark.parametrize(
    ("rule", "setting", "kept"),
    [
        ("drop_missing_user", True, [1, 3, 4]),
        ("drop_missing_item", True, [1, 2, 4]),
        ("item_pattern", "[a-z]", [1, 2, 3]),
        ("min_value", 0.0, [1, 2, 3]),
    ],
)
def test_each_row_rule_alone(rule, setting, kept):
    cleaned, report = clean_rows(events(*WORLD), shop(**{rule: setting}))
    assert cleaned.frame["timestamp"].to_list() == kept
    assert report.removed(rule) == 1
    assert [done.rule for done in report.rules] == [rule]


def test_the_pattern_holds_for_the_whole_id():
    cleaned, _ = clean_rows(
        events(*(("u", item, 1, "buy", 1.0) for item in ("85123A", "8512", "x85123A", "85123A x"))),
        shop(item_pattern=r"\d{5}[A-Z]?|M"),
    )
    assert cleaned.frame["item_id"].to_list() == ["85123A"]


def test_a_pattern_that_is_none_is_an_error():
    with pytest.raises(ConfigError, match=r"item_pattern: '\['.*regular expression"):
        clean_rows(events(*WORLD), shop(item_pattern="["))


def test_the_smallest_value_concerns_positive_events_that_have_one():
    world = events(("u", "i", 1, "buy", None), ("u", "i", 2, "cancel", -1.0), ("u", "i", 3, "buy", -1.0))
    cleaned, report = clean_rows(world, shop(min_value=0.0))
    assert cleaned.frame["timestamp"].to_list() == [1, 2]
    assert report.removed("min_value") == 1


def test_texts_are_cleaned_and_counted():
    world = events(("u", "i", 1, "buy", 1.0), ("u", "i", 2, "buy", 1.0), text=["<b>fine</b> &amp; good", "plain"])
    cleaned, report = clean_rows(world, shop(clean_text=True))
    assert cleaned.frame["text"].to_list() == ["fine & good", "plain"]
    assert report.changed("clean_text") == 1


def test_equal_rows_count_once_and_keep_the_first_place():
    a, b = ("u", "i", 1, "buy", 1.0), ("u", "i", 1, "buy", None)
    cleaned, report = clean_part(events(a, b, a, b, a), shop(duplicates=True))
    assert rows_of(cleaned) == [a, b]
    assert report.removed("duplicates") == 3


def test_an_event_id_counts_once_whatever_else_differs():
    world = events(
        ("u", "i", 1, "buy", 1.0),
        ("u", "i", 9, "buy", 2.0),
        ("u", "i", 1, "buy", 1.0),
        ("u", "i", 2, "buy", 1.0),
        ("u", "i", 2, "buy", 1.0),
        event_id=["a", "a", "b", None, None],
    )
    cleaned, _ = clean_part(world, shop(duplicates=True))
    assert cleaned.frame["event_id"].to_list() == ["a", "b", None]


def test_a_cancellation_takes_back_the_latest_earlier_purchase():
    world = events(
        ("u", "i", 1, "buy", 1.0),
        ("u", "i", 2, "buy", 1.0),
        ("v", "i", 2, "buy", 1.0),
        ("u", "j", 2, "buy", 1.0),
        ("u", "i", 3, "cancel", -1.0),
        ("u", "i", 4, "buy", 1.0),
    )
    cleaned, report = clean_part(world, shop(cancellations=True))
    assert [row[:3] for row in rows_of(cleaned)] == [
        ("u", "i", 1), ("v", "i", 2), ("u", "j", 2), ("u", "i", 3), ("u", "i", 4)
    ]  # fmt: skip
    assert report.removed("cancellations") == 1


def test_a_cancellation_after_the_part_does_not_act():
    world = events(("u", "i", 1, "buy", 1.0), ("u", "i", 3, "cancel", -1.0))
    until_two = Events(world.frame.filter(pl.col("timestamp") <= 2))
    assert len(clean_part(until_two, shop(cancellations=True))[0]) == 1
    assert rows_of(clean_part(world, shop(cancellations=True))[0]) == [("u", "i", 3, "cancel", -1.0)]


def test_each_cancellation_takes_another_purchase_back():
    world = events(
        ("u", "i", 1, "buy", 1.0), ("u", "i", 2, "buy", 1.0), ("u", "i", 3, "cancel", -1.0),
        ("u", "i", 4, "cancel", -1.0), ("u", "i", 5, "cancel", -1.0),
    )  # fmt: skip
    cleaned, report = clean_part(world, shop(cancellations=True))
    assert cleaned.frame["event"].to_list() == ["cancel"] * 3
    assert report.removed("cancellations") == 2


def test_a_smaller_quantity_lessens_the_purchase_until_nothing_is_left():
    bought, some, rest = ("u", "i", 1, "buy", 10.0), ("u", "i", 2, "cancel", -4.0), ("u", "i", 3, "cancel", -6.0)
    cleaned, report = clean_part(events(bought, some), shop(cancellations=True))
    assert rows_of(cleaned) == [("u", "i", 1, "buy", 6.0), some]
    assert report.changed("cancellations") == 1
    assert rows_of(clean_part(events(bought, some, rest), shop(cancellations=True))[0]) == [some, rest]


def test_a_cancellation_without_a_quantity_acts_in_full():
    world = events(("u", "i", 1, "buy", 10.0), ("u", "i", 2, "cancel", None))
    assert clean_part(world, shop(cancellations=True))[0].frame["event"].to_list() == ["cancel"]


def test_minimum_activity_is_repeated_until_nothing_changes():
    # c has two items, but one of them falls with b, who has only one; then c falls, and with c the item z.
    world = events(
        *(("a", item, 1, "buy", 1.0) for item in "xy"),
        *(("d", item, 1, "buy", 1.0) for item in "xy"),
        ("b", "w", 1, "buy", 1.0),
        ("c", "w", 1, "buy", 1.0),
        ("c", "x", 1, "buy", 1.0),
        ("a", "x", 2, "view", None),
        ("b", "x", 2, "view", None),
    )
    cleaned, report = clean_part(world, shop(min_user_events=2, min_item_events=2))
    assert sorted(set(cleaned.frame["user_id"])) == ["a", "d"]
    assert cleaned.frame.filter(pl.col("event") == "view").height == 1
    assert report.removed("min_events") == 4


def test_a_minimum_of_one_is_no_rule():
    world = events(("a", "x", 1, "view", 1.0))
    assert len(clean_part(world, shop())[0]) == 1


def test_robots_are_left_out():
    world = events(
        *(("r", "x", t, "view", 1.0) for t in range(5)), ("u", "x", 1, "view", 1.0), (None, "x", 1, "view", 1.0)
    )
    cleaned, report = clean_part(world, shop(max_user_events=4))
    assert cleaned.frame["user_id"].to_list() == ["u", None]
    assert report.removed("max_user_events") == 5


def test_outliers_are_cut_down_within_their_event():
    world = events(*(("u", "x", t, "buy", float(t)) for t in range(101)), ("u", "x", 1, "view", 1000.0))
    cleaned, report = clean_part(world, shop(outlier_quantile=0.9))
    assert cleaned.frame["value"].max() == 1000.0
    assert cleaned.frame.filter(pl.col("event") == "buy")["value"].max() == 90.0
    assert report.changed("outlier_quantile") == 10


def test_missing_values_are_filled_with_the_median_of_their_event():
    world = events(*(("u", "x", 1, "buy", value) for value in (1.0, 2.0, 9.0, None)), ("u", "x", 1, "view", None))
    cleaned, report = clean_part(world, shop(missing_values="fill"))
    assert cleaned.frame["value"].to_list() == [1.0, 2.0, 9.0, 2.0, None]
    assert report.changed("missing_values") == 1


def test_retention_looks_back_from_the_last_event():
    day = 86_400_000
    world = events(*(("u", "x", n * day, "buy", 1.0) for n in range(5)))
    scenario = Scenario(positive={"buy": 1.0}, retention_days=2)
    cleaned, report = clean_part(world, scenario)
    assert cleaned.frame["timestamp"].to_list() == [2 * day, 3 * day, 4 * day]
    assert report.removed("retention_days") == 2


def test_the_catalogue_is_cleaned_by_the_same_rules():
    items = Items(pl.DataFrame({"item_id": ["1", "POST"], "title": ["a  <i>b</i>", "x"], "image": ["a  b.jpg", ""]}))
    cleaned, report = clean_items(items, shop(item_pattern=r"\d", clean_text=True))
    assert cleaned.frame.rows() == [("1", "a b", "a  b.jpg")]
    assert (report.removed("item_pattern"), report.changed("clean_text")) == (1, 1)


def test_people_are_cleaned_but_not_their_ids():
    people = People(pl.DataFrame({"user_id": ["a  b"], "about": ["I &lt;3 music\u0000"]}))
    cleaned, report = clean_people(people, shop(clean_text=True))
    assert cleaned.frame.rows() == [("a  b", "I <3 music")]
    assert report.changed("clean_text") == 1
    assert report.removed("unknown") == 0

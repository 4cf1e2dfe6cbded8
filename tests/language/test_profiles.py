from dataclasses import replace

import msgspec
import numpy as np
import polars as pl
import pytest

from inkling.core.errors import ConfigError
from inkling.core.scenario import Scenario
from inkling.core.tables import Events, Items, People
from inkling.events.build import build_dataset
from inkling.language.profiles import (
    Line,
    Notes,
    edited,
    item_profiles,
    person_profiles,
    person_sentence,
    profile_text,
    rebuilt,
    shortened,
)

DAY = 86_400_000
SCENARIO = Scenario(positive={"rating": 1.0}, positive_value={"rating": 3.5})


def films(events, *, about=None):
    """Twenty crime films of the 1990s, twenty romances of the 1980s, twenty horror films of the 2000s."""
    kinds = [("Crime", "detective murder", 1990), ("Romance", "wedding kiss", 1980), ("Horror", "zombie blood", 2000)]
    rows = [
        {
            "item_id": f"{kind}-{i}",
            "title": f"{kind} {chr(97 + i)} ({year + i % 10})",
            "categories": [kind],
            "description": f"A {words} number{i}.",
        }
        for kind, words, year in kinds
        for i in range(20)
    ]
    schema = {"user_id": pl.String, "item_id": pl.String, "timestamp": pl.Int64, "event": pl.String,
              "value": pl.Float32, "text": pl.String}  # fmt: skip
    frame = pl.DataFrame([(u, i, d * DAY, "rating", v, t) for u, i, d, v, t in events], schema=schema, orient="row")
    people = None if about is None else People(pl.DataFrame({"user_id": list(about), "about": list(about.values())}))
    return build_dataset(Events(frame), SCENARIO, items=Items(pl.DataFrame(rows)), people=people)


def world(**more):
    crime = [("ann", f"Crime-{i}", i, 5.0 if i < 3 else 4.0, None) for i in range(8)]
    horror = [("ann", f"Horror-{i}", 8 + i, 1.0, None) for i in range(4)]
    bob = [("bob", f"Romance-{i}", i, 4.0, None) for i in range(12)]
    other = [("eve", f"{kind}-{i}", i, 4.0, None) for kind in ("Crime", "Romance", "Horror") for i in range(10, 16)]
    return films([*crime, *horror, *bob, *other], **more)


def person(data, user_id, notes=None):
    return person_profiles(data, data.user_ids.rows([user_id]), notes)[0]


def test_a_person_is_what_they_chose_and_how_they_rated_it():
    ann = person(world(), "ann")
    assert ann.likes == ("Crime",)
    assert "Horror" in ann.dislikes
    assert ann.decades == ("1990s",)
    assert set(ann.keywords) == {"detective", "murder"}
    assert ann.favourites[0] == "Crime c (1992)"
    assert ann.n_events == 12


def test_a_person_in_one_sentence():
    ann = person(world(), "ann")
    text = person_sentence(ann)
    assert text.startswith("Likes Crime about ")
    assert "mostly from the 1990s, such as Crime c (1992)" in text
    assert text.endswith("dislikes Horror.") or "Horror" in text.split("dislikes")[1]
    assert text.count(".") == 1
    chinese = person_sentence(ann, "zh", n_titles=1)
    assert chinese.startswith("喜欢Crime，常选与")
    assert "1990年代" in chinese
    assert "《Crime c (1992)》" in chinese
    assert "Crime b" not in chinese
    assert chinese.endswith("。")
    assert person_sentence(ann, "xx") == text


def test_a_person_of_whom_nothing_is_known_has_no_sentence():
    profile = person_profiles(world().cut(-1), np.array([0], dtype=np.int32))[0]
    assert profile.n_events == 0
    assert person_sentence(profile) == person_sentence(profile, "zh") == ""
    assert profile_text(profile) == ""


def test_what_people_say_of_themselves_and_look_for():
    data = world(about={"ann": "I collect old posters."})
    lines = [Line("ann", 3 * DAY, "noir"), Line("ann", 5 * DAY, "heist"), Line("ann", 99 * DAY, "later")]
    ann = person(data, "ann", Notes(asked=[*lines, lines[0]], cares_about=lambda row: ("price",)))
    assert ann.asked == ("heist", "noir")
    assert person_sentence(ann).startswith("Says: I collect old posters, ")
    assert "cares about price" in person_sentence(ann)
    assert "看重价格" in person_sentence(ann, "zh")
    assert "Looked for: “heist”, “noir”" in profile_text(ann)
    assert person(data, "bob").about == ""


def test_an_item_is_its_texts_and_what_reviewers_say():
    data = films([("ann", "Crime-1", 1, 5.0, "Gripping. Really."), ("bob", "Crime-1", 2, 2.0, "Too long.")])
    item = item_profiles(data, data.item_ids.rows(["Crime-1"]), Notes(good_at=lambda row: (("plot",), ("length",))))[0]
    assert item.title == "Crime b (1991)"
    assert item.said == ("Too long.", "Gripping. Really.")
    assert {"detective", "murder"} <= set(item.keywords)
    assert item.n_events == 2
    text = profile_text(item)
    assert "Good at: plot\nLess good at: length\nReviewers say: “Too long.”" in text
    assert "优点: plot" in profile_text(item, "zh")
    assert len(item_profiles(data)) == 60


def test_profiles_do_not_depend_on_the_moment_they_are_made():
    first, second = (person(world(), "ann") for _ in range(2))
    assert first == second
    assert first.version.startswith(f"{world().until}-")
    assert person(world(), "bob").version != first.version


def test_a_later_word_moves_no_profile():
    before = [("ann", f"Crime-{i}", i, 4.0, f"solid {i}") for i in range(6)]
    planted = [("ann", "Crime-1", 50, 1.0, "xylophone xylophone"), ("bob", "Crime-2", 51, 5.0, "xylophone")]
    with_test, without = films([*before, *planted]), films(before)
    cut = with_test.cut(without.until)
    rows = np.arange(1, dtype=np.int32)
    assert item_profiles(cut) == item_profiles(without)
    assert person_profiles(cut, rows) == person_profiles(without, rows)
    assert "xylophone" not in str(item_profiles(cut))
    assert "xylophone" in str(item_profiles(with_test))


def test_what_a_person_writes_stays():
    data = world()
    ann = person(data, "ann")
    mine = edited(ann, {"likes": ["Chess films"], "about": "Retired judge"})
    assert mine.likes == ("Chess films",)
    assert mine.edited == ("about", "likes")
    assert mine.version != ann.version
    again = person(data.cut(3 * DAY), "ann", Notes(kept={"ann": mine}))
    assert again.likes == ("Chess films",)
    assert again.about == "Retired judge"
    assert again.n_events == 4
    assert again == rebuilt(person(data.cut(3 * DAY), "ann"), mine)
    assert edited(mine, {"keywords": ["gavel"]}).edited == ("about", "keywords", "likes")


def test_what_cannot_be_changed_is_said():
    ann = person(world(), "ann")
    with pytest.raises(ConfigError, match="'version' cannot be changed"):
        edited(ann, {"version": "1"})
    with pytest.raises(ConfigError, match=r"does not fit.*likes"):
        edited(ann, {"likes": "Crime"})


def test_profiles_are_plain_data():
    ann = person(world(), "ann")
    assert msgspec.json.decode(msgspec.json.encode(ann), type=type(ann)) == ann


def test_without_catalogue_texts_a_profile_is_what_is_known():
    data = world()
    bare = replace(data, items=Items(data.items.frame.select("item_id")))
    ann = person(bare, "ann")
    assert (ann.likes, ann.keywords, ann.favourites, ann.n_events) == ((), (), (), 12)
    assert item_profiles(bare)[0].title == ""


def test_values_that_do_not_differ_and_dislikes():
    from inkling.core.jagged import Jagged
    from inkling.core.query import History
    from inkling.language._tastes import signs

    history = History.of_items(Jagged.from_lists([[1, 2, 3, 4]]))
    mixed = replace(history, weights=np.array([1, 0, -1, 1], dtype=np.float32))
    assert signs(mixed).tolist() == [0.3, 0.0, -1.0, 0.3]
    rated = replace(history, values=np.array([1, 5, 5, 5], dtype=np.float32))
    assert signs(rated)[0] == pytest.approx(-0.866, abs=1e-3)


def test_words_of_any_script():
    from inkling.language._words import Words, words

    assert words("The Bank's don't-stop café's") == ["don't-stop"]
    assert words("红色的杯子 mug") == ["mug", "红色", "色的", "的杯", "杯子"]
    none = Words.of(["", ""])
    assert none.of_texts(np.array([0]), np.ones(1), 3) == ()


def test_long_texts_end_at_a_sentence_or_a_word():
    assert shortened("One. Two is long.", 10) == "One."
    assert shortened("一句话。第二句话很长很长。", 8) == "一句话。"
    assert shortened("word " * 10, 12) == "word word…"
    assert shortened("short", 10) == "short"


def test_aspects_come_into_profiles():
    from inkling.language._profile_notes import aspect_notes

    said = [("ann", "Crime-1", 1, 5.0, "Great price."), ("bob", "Crime-1", 2, 5.0, "Great price, rude staff."),
            ("bob", "Crime-2", 3, 1.0, "Rude staff, awful service."), ("eve", "Horror-1", 4, 4.0, None)]  # fmt: skip
    data = films(said)
    notes = aspect_notes(data, asked=[Line("eve", 4 * DAY, "good sound"), Line("ann", 9 * DAY, "rude service")])
    items = {one.item_id: one for one in item_profiles(data, notes=notes)}
    assert (items["Crime-1"].good_at, items["Crime-1"].bad_at) == (("price",), ("service",))
    assert items["Horror-1"].good_at == ()
    assert person(data, "ann", notes).cares_about[0] == "price"
    assert "service" in person(data, "bob", notes).cares_about
    assert person(data, "eve", notes).cares_about == ()
    assert "优点: 价格" in profile_text(items["Crime-1"], "zh")
    assert "Cares about: price" in profile_text(person(data, "ann", notes))

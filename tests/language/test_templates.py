from dataclasses import replace

import numpy as np
import pytest

from inkling.core.errors import ConfigError
from inkling.core.jagged import Jagged
from inkling.core.query import History, Query
from inkling.language.templates import TEMPLATES, Around, Template, describe, template_of

DAY = 86_400_000
NOW = 1_700_000_000_000  # a Tuesday, 22:13 UTC
TITLES = ["Tea pot", "Mug", "", "Lamp"]


def history(*lists: list[int], values: dict[int, float] | None = None, weights: dict[int, float] | None = None):
    items = Jagged.from_lists([np.array(one, dtype=np.int32) for one in lists])
    n = len(items.values)
    back = np.concatenate([np.arange(len(one))[::-1] for one in lists]).astype(np.int64)
    made = History.of_items(items, ts=NOW - (back + 1) * DAY)
    valued = np.full(n, np.nan, dtype=np.float32)
    weighed = np.ones(n, dtype=np.float32)
    for at, value in (values or {}).items():
        valued[at] = value
    for at, weight in (weights or {}).items():
        weighed[at] = weight
    return replace(made, values=valued, weights=weighed)


def around(n: int = 1, **changes):
    return replace(Around(np.full(n, NOW, dtype=np.int64), ("purchase",)), **changes)


def test_english_tells_the_newest_first_with_stars_and_times():
    [text] = describe(history([0, 1], values={0: 4.4}), TITLES, around=around())
    assert text == "in the evening, Tuesday. bought: Mug, 1 day ago; bought: Tea pot (★★★★☆), 2 days ago"


def test_chinese_words_for_the_same():
    [text] = describe(history([0, 1], values={1: 5}), TITLES, TEMPLATES["zh"], around())
    assert text == "晚上，星期二。购买《Mug》（★★★★★），1天前；购买《Tea pot》，2天前"


def test_context_and_question_stand_around_the_events():
    known = around(context={"device": ("phone",), "country": (None,)}, texts=("something blue",))
    [text] = describe(history([3]), TITLES, around=known)
    assert text == "in the evening, Tuesday. phone. bought: Lamp, 1 day ago something blue"


def test_of_nothing_nothing_is_told_and_items_without_a_title_are_passed_over():
    assert describe(history([2], [9]), TITLES, around=around(2)) == ["", ""]


def test_where_times_are_an_order_no_time_is_told():
    [text] = describe(history([0, 1]), TITLES, around=around(timed=False))
    assert text == "bought: Mug; bought: Tea pot"


def test_gap_is_told_between_events():
    template = Template(event="{title}[ after {gap}]", person="{events}")
    assert describe(history([0, 1, 3]), TITLES, template, around()) == ["Lamp after 1 day; Mug after 1 day; Tea pot"]


@pytest.mark.parametrize(
    ("limits", "expected"),
    [({"max_events": 2}, "Lamp; Mug"), ({"max_characters": 10}, "Lamp; Mug"), ({"max_characters": 3}, "Lam")],
)
def test_limits_keep_the_newest(limits, expected):
    template = Template(event="{title}", person="{events}", **limits)
    assert describe(history([0, 1, 3]), TITLES, template) == [expected]


def test_titles_alone_leave_dislikes_out():
    assert describe(history([0, 1], weights={1: -1.0}), TITLES, template_of("titles")) == ["Tea pot"]


def test_a_question_brings_what_is_known_around_it():
    asked = Query(history([0]), np.array([NOW]), 4, np.array([0], dtype=np.int32), context={"country": ("France",)})
    assert describe(asked.history, TITLES, around=Around.of(asked, ("view",))) == [
        "in the evening, Tuesday. France. looked at: Tea pot, 1 day ago"
    ]


def test_doubled_brackets_are_themselves():
    template = Template(event="{{{title}}} [[{event}]]", person="{events} ({n_events})")
    assert describe(history([0]), TITLES, template) == ["{Tea pot} [interaction] (1)"]


def test_own_contexts_may_be_named():
    template = Template(event="{title}", person="{shop}: {events}", contexts=("shop",))
    assert describe(history([0]), TITLES, template, around(context={"shop": ("Paris",)})) == ["Paris: Tea pot"]


@pytest.mark.parametrize(
    ("event", "match"),
    [
        ("{titel}", "unknown field 'titel'.*Known: title, event"),
        ("{title.__class__}", "only a field's name.*Known: title"),
        ("{title[0]}", "nothing closes or opens"),
        ("{0}", "only a field's name"),
        ("{title!r:>10}", "only a field's name"),
        ("{}", "only a field's name"),
        ("{title", "nothing closes or opens"),
        ("title}", "nothing closes or opens"),
        ("[{title}", "'\\[' that nothing closes"),
        ("[a [{title}]]", "do not stand in each other"),
    ],
)
def test_what_is_no_template_is_refused(event, match):
    with pytest.raises(ConfigError, match=match):
        Template(event=event)


def test_a_person_may_not_be_told_by_an_events_fields():
    with pytest.raises(ConfigError, match=r"person has an unknown field 'title'.*events, n_events.*device"):
        Template(person="{title}")


def test_a_template_that_is_not_there():
    with pytest.raises(ConfigError, match="no template 'eng'"):
        template_of("eng")

"""The one path of features: point in time, the same for training and serving, for one and for many."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inkling.core.errors import ConfigError
from inkling.engine import asking
from inkling.engine.base import Ask
from inkling.engine.engine import LocalEngine
from inkling.engine.learning import from_log
from inkling.features.base import FeatureGroup
from inkling.features.table import GROUPS, FeatureTable
from inkling.stores.memory import MemoryLog
from inkling.stores.tensors import read_tensors, write_tensors

CALM = settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
DAYS = st.sampled_from([0.0, 0.5, 1.0, 1.25, 3.0, 7.0, 7.5, 12.0])
EVENT = st.tuples(  # user, item, day, event, country, price, session
    st.integers(0, 3), st.integers(0, 5), DAYS, *(st.integers(*span) for span in ((0, 2), (-1, 1), (-1, 2), (0, 3)))
)
EVENTS = st.lists(EVENT, max_size=25)
PEOPLE, ITEMS = [0, 1, 2, 3], [0, 1, 2, 3, 4, 5]


def equal(ours, theirs, *, rtol=2e-5):
    assert list(ours) == list(theirs) or set(ours) == set(theirs)
    for name, column in ours.items():
        np.testing.assert_allclose(column, theirs[name], rtol=rtol, atol=1e-6, err_msg=name)


def test_every_group_keeps_the_contract():
    assert all(isinstance(group(), FeatureGroup) for group in GROUPS.values())
    with pytest.raises(ConfigError, match=r"no group of features named 'onw'\. Did you mean 'own'\?"):
        FeatureTable(["onw"])


@CALM
@given(rows=EVENTS)
def test_names_are_the_columns(toys, rows):
    data = toys.dataset(rows)
    table = FeatureTable().fit(data)
    columns = toys.columns(table, data, PEOPLE, ITEMS)
    assert tuple(columns) == table.names()
    assert len(set(table.names())) == len(table.names())
    assert all(column.dtype == np.float32 and column.shape == (24,) for column in columns.values())
    assert not any(np.isinf(column).any() for column in columns.values())


@CALM
@given(rows=EVENTS, contexts=st.lists(st.sampled_from([None, "FR", "ES", "XX"]), min_size=4, max_size=4))
def test_many_people_at_once_are_the_same_as_one_by_one(toys, rows, contexts):
    data = toys.dataset(rows)
    table = FeatureTable().fit(data)
    together = toys.columns(table, data, PEOPLE, ITEMS, context={"country": tuple(contexts)})
    for place, person in enumerate(PEOPLE):
        alone = toys.columns(table, data, [person], ITEMS, context={"country": (contexts[place],)})
        equal(alone, {name: column[place * 6 : place * 6 + 6] for name, column in together.items()})


@CALM
@given(past=EVENTS, future=EVENTS, other=EVENTS)
def test_features_at_a_moment_do_not_know_what_comes_after(toys, past, future, other):
    moment = 13.0
    later = [(*row[:2], row[2] + 14, *row[3:]) for row in future]
    instead = [(*row[:2], row[2] + 14, *row[3:]) for row in other]

    def seen(rows):
        cut = toys.dataset(rows).cut(toys.START + round(moment * toys.DAY))
        return toys.columns(FeatureTable().fit(cut), cut, PEOPLE, ITEMS, at=moment)

    alone = seen(past)
    equal(seen([*past, *later]), alone)
    equal(seen([*past, *instead]), alone)


@CALM
@given(rows=EVENTS)
def test_a_state_comes_back_from_a_file_and_goes_on(toys, rows):
    data, more = toys.dataset(rows), toys.interactions([(0, 1, 20, 1), (1, 2, 20, 0, 1, 1), (2, 3, 20, 2)])
    table, twin = FeatureTable().fit(data), FeatureTable()
    twin.load_state(read_tensors(write_tensors(table.state())))
    equal(toys.columns(twin, data, PEOPLE, ITEMS), toys.columns(table, data, PEOPLE, ITEMS))
    for each in (table, twin):
        each.update(more)
    equal(toys.columns(twin, data, PEOPLE, ITEMS, at=21), toys.columns(table, data, PEOPLE, ITEMS, at=21))
    again = FeatureTable().load_state(read_tensors(write_tensors(twin.state())))
    equal(toys.columns(again, data, PEOPLE, ITEMS, at=21), toys.columns(table, data, PEOPLE, ITEMS, at=21))


@CALM
@given(rows=EVENTS, n=st.integers(0, 25))
def test_fit_then_update_is_fit_on_all(toys, rows, n):
    names = [name for name in GROUPS if name != "loyalty"]  # which says that it waits for the next fit
    ordered = sorted(rows, key=lambda row: row[2])
    data = toys.dataset(ordered)
    moved = FeatureTable(names).fit(toys.dataset(ordered[:n]))
    for row in ordered[n:]:
        moved.update(toys.interactions([row]))
    at_once = FeatureTable(names).fit(data)
    if moved.names() == at_once.names():  # what the first part lacks altogether, such as any price, has no column
        equal(toys.columns(moved, data, PEOPLE, ITEMS), toys.columns(at_once, data, PEOPLE, ITEMS), rtol=1e-4)


def test_an_event_is_seen_at_once_although_columns_are_prepared(toys):
    data = toys.dataset([(0, 1, 0), (1, 2, 1)])
    table = FeatureTable(["activity"]).fit(data)
    before = toys.columns(table, data, [0], [1, 2], at=2)
    table.update(toys.interactions([(3, 2, 2)]))
    after = toys.columns(table, data, [0], [1, 2], at=2)
    name = table.names()[0]
    assert after[name][0] == before[name][0]
    assert after[name][1] > before[name][1]
    table.update(toys.interactions([(3, 5, 2)]))
    assert toys.columns(table, data, [0], [5], at=2)[name][0] > 0


def test_an_event_of_an_item_that_the_question_does_not_know_yet(toys):
    data = toys.dataset([(0, 1, 0), (1, 2, 1)])
    table = FeatureTable(["activity"]).fit(data)
    toys.columns(table, data, [0], [1], at=2)
    table.update(toys.interactions([(3, 5, 2), (3, 9, 2)]))  # 9 lies beyond the six items of the question
    assert toys.columns(table, data, [0], [5], at=2)[table.names()[0]][0] > 0


def wire(toys, rows):
    """Return events as they come over the wire."""
    out = []
    for n, (user, item, day, event, country, _, session) in enumerate(sorted(rows, key=lambda row: row[2])):
        row = {"user_id": f"u{user}", "item_id": f"i{item}", "event": toys.NAMES[event], "event_id": str(n)}
        row |= {"timestamp": toys.START + round(day * toys.DAY), "session_id": f"u{user}s{session}"}
        out.append(row | ({"context": {"country": ("ES", "FR")[country]}} if country >= 0 else {}))
    return out


@settings(CALM, max_examples=10)
@given(rows=st.lists(EVENT, min_size=1, max_size=25))
def test_training_and_serving_compute_the_same(toys, rows):
    """The histories that training reads from a table and serving from live state give the same columns."""
    scenario = toys.dataset([]).scenario
    rows = [(*row[:3], min(row[3], 1), *row[4:]) for row in rows]  # impressions live in their own part of the log
    events = wire(toys, rows)
    names = [name for name in GROUPS if name not in ("loyalty", "links", "people")]
    with LocalEngine(MemoryLog(), scenario=scenario, log_impressions=False, clock="data") as engine:
        engine.put_items([{"item_id": f"i{n}", "categories": ["a", "b"][: n % 3]} for n in ITEMS])
        for event in events:
            engine.observe([event])
        data = from_log(engine._log.scan(), engine.views.catalog.rows(), [], scenario)
        table = FeatureTable(names).fit(data)
        users = sorted({row["user_id"] for row in events})
        query = data.query(data.user_ids.rows(users))
        asked = asking.query_of([Ask(user_id=user) for user in users], engine.views, engine.pipeline, now_ms=data.until)
        same_rows = data.item_ids.rows(engine.views.item_ids)  # the two number items each in their own order
        live = replace(asked, history=replace(asked.history, item_rows=same_rows[asked.history.item_rows]))
        items = toys.grid(len(users), ITEMS)
        equal(dict(table.compute(live, items).fields), dict(table.compute(query, items).fields))
        said = {name: values for name, values in query.context.items() if any(values)}
        assert live.context == said

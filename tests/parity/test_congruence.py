"""One API, whatever the address: the same calls in memory, on disk and over HTTP give the same answers."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

import inkling
from inkling.core.errors import InklingError
from inkling.core.scenario import Scenario

TITLES = ["red mug", "blue mug", "tea pot", "green tea", "desk lamp", "lunch bag", "红色杯子", "台灯"]
SCENARIO = Scenario(positive={"purchase": 1.0}, signals={"view": 0.2}, context=("country",))
START = 1_600_000_000


def buy(user, item, day, **more):
    row = {"user_id": user, "item_id": item, "event": "purchase", "timestamp": START + day * 86_400}
    return row | {"event_id": f"{user}-{item}-{day}", **more}


def put(engine):
    rows = [{"item_id": str(n), "title": title, "price": n * 1.5} for n, title in enumerate(TITLES)]
    versions = engine.put_items(rows), engine.put_users([{"user_id": "ann", "city": "Oslo"}])
    assert engine.read_all()
    return versions


def act(engine):
    events = [
        buy(f"u{n}", str((n * 3 + step) % 8), n + step, value=float(step)) for n in range(12) for step in range(3)
    ]
    events += [
        buy("ann", "0", 20, context={"country": "FR"}),
        {"session_id": "s1", "item_id": "3", "event": "view", "timestamp": START},
    ]
    return engine.observe(events), engine.observe(events[:5])


def change(engine):
    engine.patch_item("1", {"price": 99, "title": None})
    engine.delete_item("5")
    engine.merge("eve", "s1")
    engine.observe([{"user_id": "u3", "event": "opt_out"}, buy("u3", "4", 30)])
    told = engine.ingest([buy("ann", "2", 31), {"user_id": "ann"}])
    return told.accepted, [each.reason for each in told.rejected]


def forget(engine):
    return engine.erase("u4").removed, engine.erase("nobody").removed


def look(engine):
    return (
        engine.get_item("1"),
        engine.get_user("ann"),
        engine.history("eve"),
        engine.history("u4"),
        engine.find_items("mug"),
        engine.find_users(limit=100),
        {key: value for key, value in engine.about().items() if key not in ("now_ms", "caches")},
    )


def ask(engine):
    assert engine.read_all()
    people = ["ann", "u1", "u4", "eve", "nobody"]
    questions = [
        {},
        {"text": "我想喝茶 tea"},
        {"exclude": ["0", "2"]},
        {
            "filter": {
                "any": [
                    {"field": "price", "op": "lt", "value": 5},
                    {"field": "title", "op": "contains", "value": "bag"},
                ]
            }
        },
        {"candidates": ["1", "2", "5"], "explain": True},
        {"history": ["0"], "language": "zh", "explain": True},
        {"context": {"country": "FR"}, "k": 3},
    ]
    lists = [answer.items for question in questions for answer in engine.recommend(people, **question)]
    return lists, engine.similar("0").items, engine.score("ann", ["1", "2"]), engine.explain("ann", "1")


def fail(engine):
    said = []
    for call in (
        lambda: engine.recommend("ann", k=0),
        lambda: engine.recommend("ann", min_version=10**9),
        lambda: engine.get_item("5"),
        lambda: engine.observe([{"user_id": "ann", "item_id": "1", "vlaue": 1}]),
        lambda: engine.recommend("ann", filter={"all": [{"field": "prize", "op": "eq", "value": 1}]}),
        lambda: engine.put_items([{"title": "nameless"}]),
        lambda: engine.recommend("ann", k="ten"),
        lambda: engine.recommend("ann", kk=1),
        engine.recommend,
        lambda: engine.recommend("ann", after="gone", text="cheaper"),
        lambda: engine.recommend("ann", after="gone"),
        lambda: engine.recommend("ann", language="tlh"),
        lambda: engine.recommend("ann", budget_ms=0),
        lambda: engine.recommend("ann", cursor="altered"),
        lambda: engine.recommend("bob", cursor=engine.recommend("ann", k=2).cursor),
        lambda: engine.recommend("ann", filter={"all": [{"field": "price", "op": "like", "value": 1}]}),
        lambda: engine.recommend(["ann", "bob"], k=1001),
        lambda: engine.similar("5"),
        lambda: engine.similar("0", k=0),
        lambda: engine.score("ann", ["1", "nothing"]),
        lambda: engine.explain("ann", "5"),
        lambda: engine.get_user("nobody"),
        lambda: engine.user_profile("nobody"),
        lambda: engine.user_profile("ann", language="tlh"),
        lambda: engine.item_profile("5"),
        lambda: engine.patch_item("5", {"price": 1}),
        lambda: engine.patch_user_profile("ann", {"n_events": 3}),
        lambda: engine.patch_item_profile("nothing", {"summary": "x"}),
        lambda: engine.delete_item("5"),
        engine.onboarding,
        lambda: engine.put_users([{"user_id": ""}]),
        lambda: engine.put_items([{"item_id": "1"}, "a row"]),
        lambda: engine.observe([5]),
        lambda: engine.observe([{"user_id": "ann", "item_id": "1", "timestamp": "soon"}]),
    ):
        with pytest.raises(InklingError, match=r"\w") as caught:
            call()
        said.append((type(caught.value), caught.value.code, str(caught.value), caught.value.hint))
    return said


def page(engine):
    """Return all pages of a list, as ids."""
    pages = [engine.recommend("nobody", k=3)]
    while pages[-1].cursor is not None:
        pages.append(engine.recommend("nobody", k=3, cursor=pages[-1].cursor))
    return [one.item_ids for one in pages]


def tell(engine):
    """Return profiles, before and after people and items were told more."""
    assert engine.read_all()
    before = engine.user_profile("u1"), engine.item_profile("0", language="zh")
    versions = [
        engine.patch_user_profile("u1", {"about": "I drink green tea."}),
        engine.patch_item_profile("0", {"summary": "It is red."}),
        engine.patch_user("ann", {"city": None, "likes": ["tea", "mugs"]}),
        engine.put_users([]),
    ]
    assert engine.read_all()
    after = engine.user_profile("u1", language="zh"), engine.item_profile("0"), engine.get_user("ann")
    return before, versions, after, engine.reading().waiting


STEPS = (put, act, look, ask, page, change, look, tell, ask, fail)
WITH_ERASURE = (*STEPS, forget, look, ask, page, fail)


def opened(url, **more):
    engine = inkling.open(url, scenario=SCENARIO, clock="data", **more)
    engine._log_impressions = False  # they are written beside, so they would move versions at any time
    clock = engine._serving.clock
    clock._wall = lambda: clock._opened  # an answer must not depend on how long a step took
    return engine


@pytest.mark.parametrize("durability", ["fsync", "os"])
def test_the_same_calls_give_the_same_answers_in_memory_and_on_disk(tmp_path, durability):
    with opened("memory://") as memory, opened(f"file://{tmp_path}/shop", durability=durability) as disk:
        for step in WITH_ERASURE:
            ours, theirs = step(memory), step(disk)
            assert ours == theirs, step.__name__
            assert memory.version == disk.version, step.__name__


def test_a_store_that_is_opened_again_gives_the_same_answers(tmp_path):
    url = f"file://{tmp_path}/shop"
    with opened(url) as engine:
        for step in STEPS:
            step(engine)
        before, known, version = ask(engine), look(engine), engine.version
    with opened(url) as again:
        assert again.version == version
        assert ask(again) == before
        assert look(again) == known
        assert fail(again) == fail(again)


def test_many_writers_leave_the_same_catalogue_on_disk(tmp_path):
    with opened(f"file://{tmp_path}/shop") as disk:
        with ThreadPoolExecutor(4) as pool:
            versions = list(pool.map(lambda n: disk.put_items([{"item_id": str(n), "title": f"thing {n}"}]), range(40)))
        assert sorted(versions) == list(range(1, 41))
        assert len(disk.find_items(limit=100)) == 40


def test_an_erased_person_is_gone_when_the_store_is_opened_again(tmp_path):
    url = f"file://{tmp_path}/shop"
    with opened(url) as engine:
        for step in (put, act, forget):
            step(engine)
        known = look(engine)
    with opened(url) as again:
        assert again.history("u4") == []
        assert "u4" not in again.find_users(limit=100)
        assert look(again)[:6] == known[:6]
    assert not any(b"u4" in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


def test_the_same_calls_give_the_same_answers_over_http(tmp_path, served):
    with (
        opened("memory://") as memory,
        opened(f"file://{tmp_path}/shop") as behind,
        inkling.open(served(behind)) as remote,
    ):
        for step in WITH_ERASURE:
            ours, theirs = step(memory), step(remote)
            assert ours == theirs, step.__name__
            assert memory.version == remote.version == behind.version, step.__name__


def test_the_same_calls_give_the_same_answers_with_await(served):
    with opened("memory://") as memory, opened("memory://") as behind, Awaited(served(behind)) as remote:
        for step in WITH_ERASURE:
            assert step(memory) == step(remote), step.__name__
            assert memory.version == remote.version, step.__name__


class Awaited:
    """The engine to be awaited, called by a program that waits: each verb runs on an event loop of its own thread."""

    def __init__(self, url):
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._engine = inkling.connect_async(url)

    def __getattr__(self, verb):
        def call(*args, **named):
            return asyncio.run_coroutine_threadsafe(getattr(self._engine, verb)(*args, **named), self._loop).result(60)

        return call() if verb == "version" else call

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


def test_what_only_an_engine_here_can_do_is_refused_before_the_first_fit(tmp_path):
    with opened("memory://") as engine, pytest.raises(InklingError, match="There is nothing to save"):
        engine.save(tmp_path / "nowhere")

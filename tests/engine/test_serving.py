"""Where the language model runs: after a write, beside the questions; and what speaks until it has read."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import inkling
from inkling.engine.texts import TextReader
from inkling.server.metrics import Metrics

SHOP = [{"item_id": f"i{n}", "title": f"thing {n}", "categories": ["cat" if n % 2 else "car"]} for n in range(40)]


class SlowReader:
    """Makes each batch of the encoder wait until it may go on, or for some seconds."""

    def __init__(self, monkeypatch):
        self.seconds, self.read = 0.0, []
        self.gate = threading.Event()
        self.gate.set()
        plain = TextReader.encode

        def encode(reader, texts):
            self.gate.wait(20)
            time.sleep(self.seconds)
            self.read.extend(texts)
            return plain(reader, texts)

        monkeypatch.setattr(TextReader, "encode", encode)


@pytest.fixture
def slow(monkeypatch):
    return SlowReader(monkeypatch)


def test_a_write_is_acknowledged_and_served_while_the_encoder_stands_still(slow):
    slow.gate.clear()
    with inkling.open() as engine:
        started = time.monotonic()
        version = engine.put_items(SHOP)
        engine.observe([{"user_id": "ann", "item_id": "i3"}])
        assert engine.get_item("i7")["title"] == "thing 7"
        assert engine.recommend("bob", k=3, min_version=version).item_ids[0] == "i3"  # known by popularity alone
        assert engine.recommend("bob", k=5, candidates=["i3", "i9"]).item_ids[0] == "i3"
        assert engine.find_items("thing 7")[0]["item_id"] == "i7"
        assert time.monotonic() - started < 10
        assert engine.reading().waiting == len(SHOP)
        assert not engine.read_all(0.01)
        slow.gate.set()
        assert engine.read_all()
        assert engine.reading().read == len(SHOP)
        assert engine.recommend(text="thing 7", k=1).item_ids == ["i7"]


def test_answers_stay_fast_while_thousands_of_items_are_read(shop, slow):
    with shop.fitted() as engine:  # its own encoder is quick: the seconds are this test's
        slow.seconds = 1.0
        took, writes = [], []
        for block in range(30):
            rows = [{"item_id": f"n{block}-{n}", "title": f"new {block} {n}"} for n in range(100)]
            started = time.perf_counter()
            engine.put_items(rows)
            writes.append(time.perf_counter() - started)
            for n in range(10):
                started = time.perf_counter()
                assert len(engine.recommend(f"u{n}", k=3).items) == 3
                took.append(time.perf_counter() - started)
        status = engine.reading()
        assert status.waiting > 2000
        assert status.lag_s > 0
        assert np.quantile(took, 0.99) < 0.5  # who waited for the encoder would take a second
        assert max(writes) < 0.9
        slow.seconds = 0.0
        assert engine.read_all(120)
        assert engine.recommend(text="new 29 99", k=1).item_ids == ["n29-99"]


def test_an_unread_item_stands_beside_its_category(shop, slow):
    with shop.fitted() as engine:
        slow.gate.clear()
        engine.put_items([{"item_id": "cat-zzz", "title": "unheard of", "categories": ["cat"]}])
        until = time.monotonic() + 10
        row = engine.views.item_ids.row_of("cat-zzz")
        while len(engine.pipeline.vectors) <= row and time.monotonic() < until:
            time.sleep(0.01)
        assert engine.reading().waiting == 1
        had = [{"user_id": "new", "item_id": f"cat-{word}", "event": "purchase"} for word in ("food", "toy", "bed")]
        engine.observe(had)
        assert "cat-zzz" in engine.recommend("new", k=3).item_ids
        stand_in = engine.pipeline.vectors[row].copy()
        slow.gate.set()
        assert engine.read_all()
        assert not np.allclose(engine.pipeline.vectors[row], stand_in)


def test_a_bundle_swapped_in_reads_what_the_one_before_did_not(shop, saved, slow):
    with inkling.open(bundle=saved) as engine:
        slow.gate.clear()
        engine.put_items([{"item_id": "late", "title": "violet umbrella"}])
        engine.load(saved)
        assert engine.reading().waiting == 1
        slow.gate.set()
        assert engine.read_all()
        assert engine.recommend(text="violet umbrella", k=1).item_ids == ["late"]


SCRIPT = """
import sys, time
import inkling
from inkling.engine.texts import TextReader

plain = TextReader.encode

def encode(reader, texts):
    time.sleep(0.2 * len(texts))
    return plain(reader, texts)

TextReader.encode = encode
engine = inkling.open(sys.argv[1])
engine.put_items([{"item_id": f"i{n}", "title": f"umbrella {n}"} for n in range(500)])
while not engine.reading().read:
    time.sleep(0.01)
print(engine.reading().waiting, flush=True)
time.sleep(60)
"""


def test_a_process_that_was_killed_finds_what_is_unread(tmp_path):
    url = f"file://{tmp_path}/shop"
    with subprocess.Popen([sys.executable, "-c", SCRIPT, url], stdout=subprocess.PIPE, text=True) as process:
        unread = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
    assert unread > 400
    with inkling.open(url) as engine:
        assert engine.about()["n_items"] == 500
        assert engine.read_all(120)
        assert engine.recommend(text="umbrella 499", k=1).item_ids == ["i499"]
    assert Path(tmp_path / "shop" / "log.sqlite3").is_file()


def test_what_people_say_of_themselves_speaks_until_they_act(shop):
    with shop.fitted() as engine:
        engine.put_users([{"user_id": "zoe", "about": "my cat sleeps all day"}])
        assert engine.read_all()
        answer = engine.recommend("zoe", k=3, explain=True)
        assert all(item_id.startswith("cat") for item_id in answer.item_ids)
        assert answer.items[0].reason.kind == "about"
        assert answer.items[0].reason.text == "Fits what you say about yourself"
        assert engine.recommend("zoe", k=1, explain=True, language="zh").items[0].reason.text == "符合您的自我介绍"
        engine.patch_user("zoe", {"about": "I drive a car"})
        assert engine.read_all()
        assert all(item_id.startswith("car") for item_id in engine.recommend("zoe", k=3).item_ids)
        both = engine.recommend(["zoe", "nobody"], k=3)
        assert both[0].item_ids == engine.recommend("zoe", k=3).item_ids
        assert both[1].item_ids == engine.recommend("nobody", k=3).item_ids
        said = engine.recommend("zoe", text="a cat toy", k=1, explain=True)  # what is said now comes first
        assert said.items[0].reason.kind == "query"
        assert said.item_ids == ["cat-toy"]
        had = [{"user_id": "zoe", "item_id": f"cat-{word}", "event": "purchase"} for word in ("food", "toy", "bed")]
        engine.observe(had)
        assert engine.recommend("zoe", k=2).item_ids[0].startswith("cat")


def test_a_deleted_item_leaves_its_vector_whether_it_was_read_before_or_not(shop, saved, tmp_path):
    url = f"file://{tmp_path}/store"
    with inkling.open(url, bundle=saved) as engine:
        engine.put_items([{"item_id": "new", "title": "cat tower"}, {"item_id": "late", "title": "car horn"}])
        assert engine.read_all(20)
        rows = [engine.views.item_ids.row_of(item_id) for item_id in ("cat-toy", "new", "late")]
        assert engine.pipeline.vectors[rows].any(axis=1).all()
        for item_id in ("cat-toy", "new"):
            engine.delete_item(item_id)
        assert engine.read_all(20)
        assert engine.pipeline.vectors[rows].any(axis=1).tolist() == [False, False, True]
    with inkling.open(url, bundle=saved) as again:
        assert again.read_all(20)
        assert again.pipeline.vectors[rows].any(axis=1).tolist() == [False, False, True]


def test_who_opts_out_by_an_event_is_no_longer_spoken_for(shop):
    with shop.fitted() as engine:
        engine.put_users([{"user_id": "zoe", "about": "my cat sleeps all day"}])
        assert engine.read_all(20)
        assert engine.recommend("zoe", k=3, explain=True).items[0].reason.kind == "about"
        engine.observe([{"user_id": "zoe", "event": "opt_out", "text": "use"}])
        kinds = {item.reason.kind for item in engine.recommend("zoe", k=3, explain=True).items}
        assert "about" not in kinds
        engine.put_users([{"user_id": "zoe", "about": "my car"}])
        assert engine.read_all(20)
        assert len(engine._serving.keeper.abouts) == 0


def test_a_persons_own_sentence_goes_with_them(shop):
    with shop.fitted() as engine:
        engine.put_users(
            [{"user_id": "zoe", "about": "my cat"}, {"user_id": "yan", "about": "a car", "opted_out": True}]
        )
        assert engine.read_all()
        abouts = engine._serving.keeper.abouts
        assert len(abouts) == 1  # who wants to be left out is not read
        engine.erase("zoe")
        assert len(abouts) == 0
        assert engine.recommend("zoe", k=5).item_ids == engine.recommend("nobody", k=5).item_ids
        engine.patch_user("yan", {"opted_out": False})
        assert engine.read_all()
        assert len(abouts) == 1
        engine.patch_user("yan", {"about": None})
        assert engine.read_all()
        assert len(abouts) == 0


def test_a_sentence_from_before_a_restart_is_read_again(shop, tmp_path):
    url = f"file://{tmp_path}/shop"
    with shop.fitted(url) as engine:
        engine.put_users([{"user_id": "zoe", "about": "my cat sleeps all day"}])
        engine.fit(settings=shop.QUICK)
        engine.save(tmp_path / "bundle")
    with inkling.open(url, bundle=tmp_path / "bundle") as again:
        assert again.read_all()
        assert all(item_id.startswith("cat") for item_id in again.recommend("zoe", k=3).item_ids)


def test_how_far_the_reader_is_can_be_measured(slow):
    slow.gate.clear()
    with inkling.open() as engine:
        engine.put_items(SHOP)
        status = engine.reading()
        text = Metrics().render({"unread_waiting": status.waiting, "unread_lag_s": status.lag_s})
        assert f"inkling_unread_items {len(SHOP)}" in text
        assert "inkling_reading_lag_seconds" in text
        slow.gate.set()

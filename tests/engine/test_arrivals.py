"""The same event twice at once."""

import threading
import time

import inkling
from inkling.engine.arrivals import Arrivals


def test_the_second_waits_for_the_first():
    arrivals, order = Arrivals(), []

    def first():
        with arrivals.claim(["a", "b"]):
            order.append("first in")
            time.sleep(0.05)
            order.append("first out")

    thread = threading.Thread(target=first)
    thread.start()
    while not order:
        time.sleep(0.001)
    with arrivals.claim(["b"]):
        order.append("second in")
    thread.join()
    assert order == ["first in", "first out", "second in"]


def test_others_do_not_wait():
    arrivals = Arrivals()
    with arrivals.claim(["a"]), arrivals.claim(["b"]):
        pass
    with arrivals.claim(["a"]):
        pass
    assert not arrivals._on_the_way


def test_retries_at_once_are_stored_once(tmp_path):
    event = {"user_id": "u", "item_id": "i", "event_id": "one"}
    with inkling.open(f"file://{tmp_path}/log") as engine:
        threads = [threading.Thread(target=engine.observe, args=([event],)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert engine.get_user("u")["n_events"] == 1
        assert engine.version == 1

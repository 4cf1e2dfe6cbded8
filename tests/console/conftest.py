"""A browser, and a toy shop served over a real socket for it to look at."""

from __future__ import annotations

import importlib.util
import shutil
import socket
import threading
import time
from pathlib import Path

import pytest

SERVER_TESTS = Path(__file__).parents[1] / "server"


def _load(name):
    """Load a neighbour folder's module by its path: test folders are no packages."""
    spec = importlib.util.spec_from_file_location(f"console_{name}", SERVER_TESTS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


TITLES = ["red mug", "blue mug", "tea pot", "green tea", "desk lamp", "lunch bag", "paper chain", "ALARM CLOCK RED"]
EVIL = "<img src=x onerror=\"document.title='owned'\"><b>bold</b>"


@pytest.fixture(scope="session")
def browser():
    """A headless Chromium; its tests are skipped where it is not installed."""
    program, driver = shutil.which("chromium") or shutil.which("google-chrome"), shutil.which("chromedriver")
    if not program or not driver:
        pytest.skip("the console is tested in Chromium, and chromium with its chromedriver is not installed here")
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = program
    for flag in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--lang=en", "--disable-gpu"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    made = webdriver.Chrome(options=options, service=Service(driver))
    made.set_window_size(1280, 900)
    yield made
    made.quit()


def start(engine, **settings):
    """Serve an engine in a thread; return its address and what stops it."""
    import uvicorn

    from inkling.server import create_app

    server = uvicorn.Server(uvicorn.Config(create_app(engine, **settings), log_config=None, ws="none"))
    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    while not server.started:
        time.sleep(0.01)

    def stop():
        server.should_exit = True
        thread.join(10)
        listener.close()

    return f"http://127.0.0.1:{listener.getsockname()[1]}", stop


@pytest.fixture
def engine():
    made = _load("fake_engine").FakeEngine()
    made.put_items([{"item_id": str(n), "title": title, "price": 1.5 * n} for n, title in enumerate(TITLES)])
    made.put_items([{"item_id": "evil", "title": EVIL, "price": 9}])
    pairs = [("ann", "0"), ("ann", "2"), ("ann", "evil"), ("bob", "1"), ("bob", "2"), ("cat", "4"), ("cat", "5")]
    made.ingest([{"user_id": user, "item_id": item, "event": "purchase"} for user, item in pairs])
    return made


@pytest.fixture
def serve_at():
    """A function that serves an engine for the length of a test."""
    stops = []

    def serve(engine, **settings):
        url, stop = start(engine, **settings)
        stops.append(stop)
        return url

    yield serve
    for stop in stops:
        stop()

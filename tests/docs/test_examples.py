"""Each example runs as a program of its own and prints what it promises."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "examples"


def run(name, *words):
    command = [sys.executable, "-W", "error", "-X", "utf8", str(FOLDER / name), *words]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_each_example_is_run_here():
    assert {path.name for path in FOLDER.glob("*.py")} == {
        "chinese.py",
        "first_steps.py",
        "http_client.py",
        "own_data.py",
    }


def test_first_steps():
    first, _, last = run("first_steps.py")
    assert first.startswith("blue mug")
    assert "paper lantern" in last


def test_own_data():
    printed = run("own_data.py")
    assert printed[1].count("red-") >= 3
    assert printed[2] == "the same after saving: True"
    assert [colour in printed[3] for colour in ("red-", "blue-", "green-")] == [True] * 3


def test_chinese():
    *chinese, english = run("chinese.py")
    assert {line.split()[0] for line in chinese} == {"电影", "旅游"}
    assert set(eval_list(english)) == {"films", "travel"}


def eval_list(text):
    import ast

    return ast.literal_eval(text)


@pytest.fixture
def url():
    import uvicorn

    import inkling
    from inkling.server import create_app

    engine = inkling.open()
    server = uvicorn.Server(uvicorn.Config(create_app(engine), port=0, log_config=None, ws="none"))
    started = threading.Thread(target=server.run, daemon=True)
    started.start()
    while not server.started:
        os.sched_yield()
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    started.join(timeout=30)
    engine.close()


def test_http_client(url):
    first, *items, last = run("http_client.py", url)
    assert first.startswith("accepted: 1 version: ")
    assert any(line.startswith("torch") for line in items)
    assert "recall" in last

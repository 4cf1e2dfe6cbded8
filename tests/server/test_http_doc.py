"""The page on the API is true: each curl call is made, each answer shown has the shape of the real one."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

import inkling
from inkling.server import create_app
from inkling.server.errors import STATUS_OF
from inkling.server.routes import ENDPOINTS

PAGE = (Path(__file__).parents[2] / "docs" / "http.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.S | re.M)


def make(client, command):
    """Make a curl call through the test client."""
    words = shlex.split(command)
    assert words[:2] == ["curl", "-s"]
    method = words[words.index("-X") + 1] if "-X" in words else "POST" if "-d" in words else "GET"
    body = words[words.index("-d") + 1] if "-d" in words else None
    (address,) = [word for word in words if word.startswith("localhost:8080")]
    headers = {"Content-Type": "application/x-www-form-urlencoded"}  # what curl sends with -d
    return client.request(method, address.removeprefix("localhost:8080"), content=body, headers=headers)


def commands(block):
    """Return the calls of a block; a quoted body may run over lines."""
    return ["curl" + part for part in re.split(r"^curl", block, flags=re.M) if part.strip()]


@pytest.fixture
def client():
    engine = inkling.open("memory://")
    with TestClient(create_app(engine)) as made:
        yield made
    engine.close()


def test_every_call_is_answered_in_the_shape_shown(client):
    answer, n_shown = None, 0
    for language, block in BLOCKS:
        if language == "bash":
            for command in commands(block):
                answer = make(client, command)
                assert answer.status_code < 300 or "usr_id" in command, (command, answer.text)
        elif language == "json":
            shown, real, n_shown = json.loads(block), answer.json(), n_shown + 1
            assert set(shown) == set(real)
            if "error" in shown:
                assert shown["error"]["message"] == real["error"]["message"]
                assert real["error"]["hint"].startswith(shown["error"]["hint"])
            elif "items" not in shown:
                assert shown == real
            else:
                assert set(shown["items"][0]) == set(real["items"][0])
    assert n_shown == 4


def test_the_python_runs(engine):
    (code,) = [block for language, block in BLOCKS if language == "python"]
    scope = {"engine": engine}
    exec(compile(code, "http.md", "exec"), scope)
    assert isinstance(scope["app"], Starlette)


@pytest.mark.parametrize("endpoint", [each for each in ENDPOINTS if each.path.startswith("/v1")], ids=lambda e: e.path)
def test_every_call_is_on_the_page(endpoint):
    rows = "\n".join(line for line in PAGE.splitlines() if line.startswith("|"))
    assert endpoint.path in rows
    assert endpoint.method in rows


def test_every_code_is_on_the_page():
    for kind, status in STATUS_OF.items():
        assert re.search(rf"^\| {status} \|.*`{kind.code}`", PAGE, re.M), kind

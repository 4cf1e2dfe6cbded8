"""The command serves on a real socket, with what it was given."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import urllib.request

import pytest


@pytest.fixture
def server(bundle, tmp_path):
    code = "import sys; from inkling.cli import main; sys.exit(main(sys.argv[1:]))"
    command = [
        sys.executable,
        "-c",
        code,
        "serve",
        str(bundle),
        "--port",
        "0",
        "--store",
        f"file://{tmp_path / 'store'}",
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"})
    alarm = threading.Timer(60, process.kill)
    alarm.start()
    yield process
    alarm.cancel()
    process.kill()
    process.wait()
    process.stdout.close()


def post(url, body):
    request = urllib.request.Request(url, json.dumps(body).encode(), {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def test_a_generative_model_is_opened_beside_the_store(tmp_path, monkeypatch):
    from argparse import Namespace

    from inkling.cli.serve import _generator
    from inkling.core.errors import ConfigError

    words = {"store": f"file://{tmp_path}/a%20shop", "generate": "http://127.0.0.1:9/v1#tiny", "generate_key": ""}
    made = _generator(Namespace(**words))
    assert made.speaker.name == "http://127.0.0.1:9/v1#tiny"
    made.close()
    assert (tmp_path / "a shop" / "written.sqlite").is_file()
    in_memory = _generator(Namespace(**{**words, "store": "memory://"}))
    in_memory.close()
    with pytest.raises(ConfigError, match="The environment has no NO_KEY"):
        _generator(Namespace(**{**words, "generate_key": "NO_KEY"}))


def test_it_answers_and_stops_when_told(server):
    line = server.stdout.readline()
    url = re.search(r"http://127\.0\.0\.1:\d+", line).group()
    assert f"{url}/console" in line
    found = post(f"{url}/v1/recommend", {"user_id": "u1", "k": 3})
    assert len(found["items"]) == 3
    assert post(f"{url}/v1/events", {"events": [{"user_id": "new", "item_id": "red-mug"}]})["accepted"] == 1
    server.send_signal(signal.SIGTERM)
    assert server.wait(timeout=30) == 0

"""The lines that the demo shows: run as they stand, so that what is shown is what happened."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from inkling.core.errors import InklingError

if TYPE_CHECKING:
    from inkling.engine.engine import LocalEngine

_PYTHON = """\
import inkling

engine = inkling.open(bundle={bundle})
for item in engine.recommend({user}, k=5).items:
    print(item.item_id, engine.get_item(item.item_id)["title"], round(item.score, 3), item.source)

engine.observe([{{"user_id": {user}, "item_id": {item}, "event": "purchase"}}])
print(engine.recommend({user}, k=5).item_ids)
print(engine.recommend(text="red mug", k=3).item_ids)
"""


def python_lines(bundle: str, user: str, item: str) -> str:
    """Return the lines of Python that use a bundle."""
    return _PYTHON.format(bundle=json.dumps(bundle), user=json.dumps(user), item=json.dumps(item))


def run_python(lines: str) -> str:
    """Return what the lines print, run as a program of their own.

    Raises:
        InklingError: They failed.
    """
    done = subprocess.run([sys.executable, "-c", lines], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise InklingError(f"The lines of Python failed: {done.stderr.strip().splitlines()[-1]}")
    return done.stdout


def curl_line(url: str, path: str, body: dict[str, Any]) -> str:
    """Return a call as a line for a shell."""
    quoted = json.dumps(body).replace("'", "'\\''")
    return f"curl -s {url}{path} -H 'content-type: application/json' -d '{quoted}'"


def call(engine: LocalEngine, path: str, body: dict[str, Any]) -> str:
    """Return what the server answers to a POST, without a socket."""
    from inkling.server import create_app

    return asyncio.run(_post(create_app(engine), path, json.dumps(body).encode()))


async def _post(app: Any, path: str, body: bytes) -> str:
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(b"host", b"127.0.0.1"), (b"content-type", b"application/json")],
        "client": ("127.0.0.1", 0),
        "server": ("127.0.0.1", 8080),
    }
    sent: list[bytes] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.body":
            sent.append(message.get("body", b""))

    await app(scope, receive, send)
    return b"".join(sent).decode()


def somebody(engine: LocalEngine) -> str:
    """Return a person worth looking at: of those with 30 to 150 events, the one who came last."""
    import numpy as np

    from inkling.core.errors import RequestError

    if engine.bundle is None:
        raise RequestError("Nothing was fitted, so nobody is known.", hint="Call fit first.")
    data = engine.bundle.base
    counts = np.bincount(data.interactions.user_rows, minlength=data.n_users)
    last = np.zeros(data.n_users, dtype=np.int64)
    np.maximum.at(last, data.interactions.user_rows, data.interactions.ts)
    fitting = (counts >= 30) & (counts <= 150)
    return data.user_ids.id_of(int(np.argmax(np.where(fitting, last, 0) if fitting.any() else counts)))

"""Talk to a running server (`inkling serve BUNDLE`) with the standard library alone: python http_client.py URL."""

import json
import sys
import urllib.request
from typing import Any


def call(url: str, method: str = "GET", body: Any = None) -> Any:
    """Return what the server answers; an HTTP error carries the reason in its body."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"content-type": "application/json"}, method=method)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def main(url: str = "http://127.0.0.1:8080") -> None:
    call(f"{url}/v1/items/lantern", "PUT", {"title": "paper lantern"})
    call(f"{url}/v1/items/torch", "PUT", {"title": "paper torch"})
    event = {"user_id": "visitor", "item_id": "lantern", "event_id": "visitor-1"}
    taken = call(f"{url}/v1/events", "POST", {"events": [event]})
    print("accepted:", taken["accepted"], "version:", taken["version"])
    # min_version: the answer reflects at least this write, whichever process gives it.
    body = {"user_id": "visitor", "k": 3, "min_version": taken["version"], "explain": True}
    answer = call(f"{url}/v1/recommend", "POST", body)
    for item in answer["items"]:
        print(item["item_id"], round(item["score"], 3), item.get("reason", {}).get("text", ""))
    print("milliseconds:", answer["timings_ms"])


if __name__ == "__main__":
    main(*sys.argv[1:])

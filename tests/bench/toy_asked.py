"""A contender of the benches of latency that answers at once, and fails when it is told to."""

from __future__ import annotations

import sys
from typing import Any

from bench.latency._piped import serve


class Toy:
    """Answers everyone with their own name and a number."""

    def about(self) -> dict[str, Any]:
        return {"ranker": "toy"}

    def for_person(self, user_id: str, k: int) -> list[tuple[str, float]]:
        if user_id == "nobody":
            raise KeyError("no such person")
        return [(f"{user_id}-{place}", 1.0 / (place + 1)) for place in range(k)]

    def for_text(self, text: str, k: int) -> list[tuple[str, float]]:
        print("a library says something on standard output")
        return [(word, 1.0) for word in text.split()[:k]]


if __name__ == "__main__":
    if sys.argv[1] == "ends":
        sys.exit("there is no world")
    serve(Toy, core=int(sys.argv[1]))

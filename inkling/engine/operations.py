"""What ONNX Runtime's own profile says of the networks that are opened while somebody watches."""

from __future__ import annotations

import re
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

_LAYER = re.compile(r"layers?[._/](\d+)")
_KERNEL = "_kernel_time"


class _Event(msgspec.Struct):
    """One line of the profile; only nodes tell of operations."""

    cat: str
    name: str
    dur: int = 0
    args: dict[str, Any] = {}


@contextmanager
def operations() -> Iterator[dict[str, float]]:
    """Watch the networks that are opened inside; once left, the dictionary holds layer -> milliseconds.

    A session is profiled from the moment that it is made, so whoever makes one here is given one that is. Networks that
    were opened before are not touched. For a process that does nothing else.
    """
    import onnxruntime

    spent: dict[str, float] = {}
    sessions: list[Any] = []
    plain = onnxruntime.InferenceSession
    with tempfile.TemporaryDirectory(prefix="inkling-operations-") as place:

        def watched(content: Any, options: Any = None, **rest: Any) -> Any:
            options = options or onnxruntime.SessionOptions()
            options.enable_profiling = True
            options.profile_file_prefix = str(Path(place) / f"session-{len(sessions)}")
            sessions.append(plain(content, options, **rest))
            return sessions[-1]

        onnxruntime.InferenceSession = watched
        try:
            yield spent
        finally:
            onnxruntime.InferenceSession = plain
            for session in sessions:
                spent.update(_sums(Path(session.end_profiling())))


def _sums(file: Path) -> dict[str, float]:
    """Return the milliseconds of each layer and kind of operation."""
    events = msgspec.json.decode(file.read_bytes(), type=list[_Event])
    found: dict[str, float] = defaultdict(float)
    for event in events:
        if event.cat == "Node" and event.name.endswith(_KERNEL):
            found[_name(event)] += event.dur / 1000
    return dict(found)


def _name(event: _Event) -> str:
    layer = _LAYER.search(event.name)
    kind = str(event.args.get("op_name", "operation"))
    return f"layer {layer[1]}: {kind}" if layer else kind

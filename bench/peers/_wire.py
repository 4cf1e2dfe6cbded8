"""Messages between a bench and a peer's process: a JSON head and named arrays. Needs numpy alone, of any version."""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Mapping
from typing import Any, BinaryIO

import numpy as np

_LENGTHS = struct.Struct("<QQ")


def send(stream: BinaryIO, said: Mapping[str, Any], arrays: Mapping[str, Any]) -> None:
    """Write one message."""
    head, body = json.dumps(dict(said)).encode(), io.BytesIO()
    if arrays:
        np.savez(body, **arrays)
    stream.write(_LENGTHS.pack(len(head), body.tell()))
    stream.write(head)
    stream.write(body.getvalue())
    stream.flush()


def receive(stream: BinaryIO) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """Read one message; None where the other side has gone."""
    lengths = stream.read(_LENGTHS.size)
    if len(lengths) < _LENGTHS.size:
        return None
    n_head, n_body = _LENGTHS.unpack(lengths)
    said: dict[str, Any] = json.loads(stream.read(n_head))
    if not n_body:
        return said, {}
    with np.load(io.BytesIO(stream.read(n_body)), allow_pickle=False) as found:
        return said, {name: found[name] for name in found.files}

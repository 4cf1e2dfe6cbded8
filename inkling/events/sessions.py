"""Which events belong to one sitting: by the session id where there is one, else by the pause before."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from inkling.core.arrays import I32, I64
from inkling.core.scenario import Time
from inkling.events.codes import codes

if TYPE_CHECKING:
    import polars as pl


def gap_sessions(user_rows: I32, ts: I64, *, gap_ms: float) -> I32:
    """Number sittings over a table sorted by time: a new one at each person's first event and after each long pause.

    Args:
        user_rows: The person (N,) of each event; events below 0 are each a session of their own.
        ts: Times (N,) in milliseconds, ascending.
        gap_ms: A pause longer than this starts a new session.

    Returns:
        Session numbers (N,) from 0, grouped by person and ascending in time within a person.
    """
    n = len(user_rows)
    if n == 0:
        return np.empty(0, dtype=np.int32)
    order = np.argsort(user_rows, kind="stable")
    users, times = user_rows[order], ts[order]
    new = np.ones(n, dtype=np.bool_)
    new[1:] = (users[1:] != users[:-1]) | (np.diff(times) > gap_ms) | (users[1:] < 0)
    sessions = np.empty(n, dtype=np.int32)
    sessions[order] = np.cumsum(new, dtype=np.int64) - 1
    return sessions


def session_rows(frame: pl.DataFrame, user_rows: I32, *, time: Time, gap_s: float) -> I32:
    """Return the session (N,) of each event of a frame sorted by time.

    A session is a person with a ``session_id``; where the id is missing and times are real, it is a sitting that ends
    with a pause of more than ``gap_s`` seconds; without an id and without real times it is unknown (-1).
    """
    n = frame.height
    out = np.full(n, -1, dtype=np.int32)
    n_named = 0
    if "session_id" in frame.columns:
        named, _ = codes(frame["session_id"])
        has = named >= 0
        pairs = named[has].astype(np.int64) * (int(user_rows.max(initial=0)) + 2) + user_rows[has] + 1
        _, out[has] = np.unique(pairs, return_inverse=True)
        n_named = int(out.max(initial=-1)) + 1
    missing = out < 0
    if time == "real" and missing.any():
        ts = frame["timestamp"].to_numpy()
        out[missing] = gap_sessions(user_rows[missing], ts[missing], gap_ms=gap_s * 1000) + n_named
    return out

"""A process and all that it starts: how much memory they hold together, and what processor time they used (Linux)."""

from __future__ import annotations

import os
from pathlib import Path

_PROC = Path("/proc")
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE_MB = os.sysconf("SC_PAGE_SIZE") / 1024**2


def tree(root: int) -> set[int]:
    """Return the ids of a process and of all its descendants that live now."""
    children: dict[int, list[int]] = {}
    for entry in _PROC.iterdir():
        if entry.name.isdigit() and (parent := _parent(entry)) is not None:
            children.setdefault(parent, []).append(int(entry.name))
    found, waiting = set(), [root]
    while waiting:
        pid = waiting.pop()
        found.add(pid)
        waiting += children.get(pid, [])
    return found


def rss_mb(pid: int) -> float:
    """Return the resident memory of one process in MB; 0 when it is gone."""
    try:
        return int((_PROC / str(pid) / "statm").read_text().split()[1]) * _PAGE_MB
    except (OSError, IndexError):
        return 0.0


def cpu_s(pid: int) -> float:
    """Return the processor seconds of one process, all threads."""
    fields = _stat(_PROC / str(pid))
    return (int(fields[11]) + int(fields[12])) / _TICKS if fields else 0.0


def _parent(entry: Path) -> int | None:
    fields = _stat(entry)
    return int(fields[1]) if fields else None


def _stat(entry: Path) -> list[str]:
    """Return the fields after the name, which may hold spaces and brackets: state, parent, ..."""
    try:
        return (entry / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []

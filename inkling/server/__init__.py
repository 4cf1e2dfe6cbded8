"""The HTTP server: a thin translation between the wire and an engine. ``serve`` lies in ``inkling.server.serve``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from inkling.server.app import create_app

__all__ = ["create_app"]


def __getattr__(name: str) -> Any:
    """Import the web stack when it is first asked for."""
    if name != "create_app":
        raise AttributeError(f"module 'inkling.server' has no attribute '{name}'")
    from inkling.server.app import create_app as made

    return made

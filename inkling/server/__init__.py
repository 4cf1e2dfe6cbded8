"""The HTTP server: a thin translation between the wire and an engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from inkling.server.app import create_app
    from inkling.server.serve import serve

__all__ = ["create_app", "serve"]

_PLACES = {"create_app": "inkling.server.app", "serve": "inkling.server.serve"}


def __getattr__(name: str) -> Any:
    """Import the web stack when it is first asked for."""
    if name not in _PLACES:
        raise AttributeError(f"module 'inkling.server' has no attribute '{name}'")
    import importlib

    module = importlib.import_module(_PLACES[name])
    return vars(module)[name]

"""Language-model recommendations in real time: a library, a command line, an HTTP server and a console."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from inkling.engine.engine import LocalEngine as Engine
    from inkling.engine.engine import open_engine as open  # noqa: A004 - the verb of the public interface
    from inkling.engine.remote import connect, connect_async

__version__ = "0.1.0"
__all__ = ["Engine", "__version__", "connect", "connect_async", "open"]

_PLACES = {
    "open": ("inkling.engine.engine", "open_engine"),
    "connect": ("inkling.engine.remote", "connect"),
    "connect_async": ("inkling.engine.remote", "connect_async"),
    "Engine": ("inkling.engine.engine", "LocalEngine"),
}


def __getattr__(name: str) -> Any:
    """Import the engine when it is first asked for: ``import inkling`` itself is free."""
    if name not in _PLACES:
        raise AttributeError(f"module 'inkling' has no attribute '{name}'")
    import importlib

    module, attribute = _PLACES[name]
    return getattr(importlib.import_module(module), attribute)

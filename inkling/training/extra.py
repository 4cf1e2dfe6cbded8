"""What is said where torch is not installed. This file is the one of the folder that imports without it."""

from __future__ import annotations

from importlib import import_module

from inkling.core.errors import MissingExtraError


def need_torch(name: str = "Training this model") -> None:
    """Check that torch can be imported.

    Args:
        name: What needs it; the message begins with it.

    Raises:
        MissingExtraError: It cannot.
    """
    try:
        import_module("torch")
    except ImportError as error:
        raise MissingExtraError(
            f"{name} needs torch, which is not installed.", hint="Run: pip install 'inkling[train]'"
        ) from error

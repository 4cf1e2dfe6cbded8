"""Whether a model can do something, and contract suites without a test runner."""

from __future__ import annotations

from typing import Any
from unittest import SkipTest


def has(model: Any, capability: type) -> bool:
    """Return whether ``model`` has a capability, such as ``Scorer``.

    The type checker learns nothing from it: a model with one capability may have others.
    """
    return isinstance(model, capability)


def run_suite(suite: object) -> int:
    """Run the tests of a contract suite that need no fixture; return how many passed. Those that skip do not count.

    Raises:
        AssertionError: As the first test that fails raises it.
    """
    passed = 0
    for name in dir(suite):
        if name.startswith("test_"):
            try:
                getattr(suite, name)()
            except SkipTest:
                continue
            passed += 1
    return passed

"""The package costs nothing until it is asked for."""

from __future__ import annotations

import subprocess
import sys

import pytest

import inkling.server


def test_the_web_stack_is_imported_late():
    code = "import sys, inkling.server; print('starlette' in sys.modules, 'uvicorn' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told.split() == ["False", "False"]


def test_create_app_is_there_and_nothing_else():
    from inkling.server.app import create_app

    assert inkling.server.create_app is create_app
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = inkling.server.nothing

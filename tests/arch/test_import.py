"""``import inkling`` is free: under 100 ms, and nothing heavy comes with it."""

import re
import subprocess
import sys

HEAVY = ("torch", "lightgbm", "polars", "scipy", "faiss", "onnxruntime", "numpy", "starlette", "rich")


def python(*words):
    return subprocess.run([sys.executable, *words], capture_output=True, text=True, check=True)


def import_ms(module):
    """Return milliseconds of one import, as the interpreter itself counts them."""
    lines = python("-X", "importtime", "-c", f"import {module}").stderr.splitlines()
    (line,) = [line for line in lines if re.search(rf"\|\s*{re.escape(module)}$", line)]
    return int(line.split("|")[1]) / 1000


def test_import_takes_less_than_100_ms():
    assert min(import_ms("inkling") for _ in range(3)) < 100


def test_the_command_line_too():
    assert min(import_ms("inkling.cli") for _ in range(3)) < 100


def test_nothing_heavy_comes_with_it():
    code = f"import sys, inkling, inkling.cli; print([name for name in {HEAVY} if name in sys.modules])"
    assert python("-c", code).stdout.strip() == "[]"


def test_public_names():
    import inkling

    assert sorted(inkling.__all__) == ["Engine", "__version__", "connect", "connect_async", "open"]
    assert all(getattr(inkling, name) is not None for name in inkling.__all__)

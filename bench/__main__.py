"""List the benches, or run one: ``python -m bench``, ``python -m bench quality --help``."""

from __future__ import annotations

import ast
import difflib
import runpy
import sys
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).parent


def benches() -> dict[str, str]:
    """Return each bench and the first line of what it says about itself, without importing any."""
    files = [path for path in HERE.glob("*.py") if not path.name.startswith("_")]
    folders = [path.with_name("__init__.py") for path in HERE.glob("*/__main__.py")]
    named = {path.parent.name if path.name == "__init__.py" else path.stem: path for path in (*files, *folders)}
    return {name: about(named[name]) for name in sorted(named)}


def about(path: Path) -> str:
    """Return the first sentence of a file's docstring."""
    said = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return said.split("\n\n")[0].replace("\n", " ").split(": ``python")[0].split(". ")[0].rstrip(".")


def main(argv: Sequence[str]) -> int:
    """Run one bench with the rest of the words, or list them all."""
    known = benches()
    if not argv or argv[0] in ("-h", "--help"):
        width = max(map(len, known))
        print("usage: python -m bench NAME [options]     (NAME --help tells more; results are kept under out/bench)\n")
        print("\n".join(f"  {name:<{width}}  {said}" for name, said in known.items()))
        return 0
    name = argv[0]
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        print(f"There is no bench '{name}'." + (f" Did you mean '{near[0]}'?" if near else ""), file=sys.stderr)
        return 2
    sys.argv = [f"bench.{name}", *argv[1:]]
    runpy.run_module(f"bench.{name}", run_name="__main__", alter_sys=False)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

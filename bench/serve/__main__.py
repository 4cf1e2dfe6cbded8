"""List the subjects, or measure one: ``python -m bench serve``, ``python -m bench serve kills --help``."""

from __future__ import annotations

import difflib
import runpy
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.__main__ import about

HERE = Path(__file__).parent


def subjects() -> dict[str, str]:
    """Return each subject and the first sentence of what it says about itself, without importing any."""
    return {path.stem: about(path) for path in sorted(HERE.glob("*.py")) if not path.name.startswith("_")}


def main(argv: Sequence[str]) -> int:
    """Measure one subject with the rest of the words, or list them all."""
    known = subjects()
    if not argv or argv[0] in ("-h", "--help"):
        width = max(map(len, known), default=0)
        print("usage: python -m bench serve SUBJECT [options]     (SUBJECT --help tells more)\n")
        print("\n".join(f"  {name:<{width}}  {said}" for name, said in known.items()))
        return 0
    name = argv[0]
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        print(f"There is no subject '{name}'." + (f" Did you mean '{near[0]}'?" if near else ""), file=sys.stderr)
        return 2
    sys.argv = [f"bench.serve.{name}", *argv[1:]]
    runpy.run_module(f"bench.serve.{name}", run_name="__main__", alter_sys=False)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

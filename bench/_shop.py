"""A fitted bundle of the bundled shop, made once for each state of the sources and kept under ``out/bench``."""

from __future__ import annotations

import hashlib
import shutil
import time
from pathlib import Path

import inkling
from bench._kept import OUT


def source_key() -> str:
    """Return a hash of the package's sources: a bundle of other sources says nothing of these."""
    root = Path(inkling.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]


def shop_bundle(given: Path | None = None, *, out: Path = OUT) -> Path:
    """Return the folder of a fitted bundle: the one given, else the kept one, else a new one (a minute)."""
    if given is not None:
        return given
    path = out / f"shop-{source_key()}"
    if not path.is_dir():
        for old in out.glob("shop-*"):
            shutil.rmtree(old)
        fit_shop(path)
    return path


def fit_shop(path: Path) -> None:
    """Fit the scenario's pipeline on the bundled data and write the bundle."""
    from inkling import datasets, scenarios
    from inkling.engine.engine import open_engine

    print("Fitting the bundled shop, once for these sources ...", flush=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    scenario, start = scenarios.load("retail"), time.perf_counter()
    with open_engine(scenario=scenario) as engine:
        engine.fit(datasets.load("online-retail"), scenario=scenario).save(path)
    print(f"Fitted in {time.perf_counter() - start:.0f} s.", flush=True)


def people_of(bundle: Path, n: int) -> list[str]:
    """Return up to ``n`` different people with a history, spread evenly over all of them."""
    import numpy as np

    from inkling.engine.bundle import Bundle
    from inkling.engine.looking import HIDDEN

    base = Bundle.read(bundle).base
    rows = np.unique(base.interactions.user_rows[base.interactions.positive])
    ids = [base.user_ids.id_of(row) for row in rows.tolist()]
    named = [user_id for user_id in ids if not user_id.startswith(HIDDEN)]
    chosen = np.linspace(0, len(named) - 1, min(n, len(named))).astype(int)
    return [named[at] for at in chosen]

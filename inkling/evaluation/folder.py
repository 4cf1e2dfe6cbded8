"""From a data folder to an evaluation: load, apply the row rules, compare."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from inkling.core.run import Run
from inkling.core.scenario import Scenario
from inkling.core.tables import Events
from inkling.evaluation.contenders import Contender
from inkling.evaluation.evaluate import Evaluation, evaluate
from inkling.events.clean import clean_items, clean_people, clean_rows
from inkling.events.folder import Folder, load_folder
from inkling.events.schema import apply_info
from inkling.protocol.parts import Tables
from inkling.protocol.spec import ProtocolSpec


def evaluate_folder(
    data: str | Path | Folder,
    scenario: Scenario,
    *,
    spec: ProtocolSpec | None = None,
    models: Sequence[str | Contender] = (),
    run: Run | None = None,
    minutes: float = 0.0,
) -> Evaluation:
    """Compare models on a data folder; what its ``dataset.toml`` says goes over the scenario. See :func:`evaluate`."""
    surroundings = run or Run()
    folder = data if isinstance(data, Folder) else load_folder(data, progress=surroundings.progress)
    events, own, tables = prepare(folder, scenario)
    return evaluate(events, own, tables, spec=spec, models=models, run=surroundings, minutes=minutes)


def prepare(folder: Folder, scenario: Scenario) -> tuple[Events, Scenario, Tables]:
    """Return what a split needs: events under the row rules, the scenario as the folder changes it, and the tables."""
    own = apply_info(scenario, folder.info)
    tables = Tables(
        items=None if folder.items is None else clean_items(folder.items, own)[0],
        people=None if folder.users is None else clean_people(folder.users, own)[0],
        links=folder.links,
    )
    return clean_rows(folder.events, own)[0], own, tables

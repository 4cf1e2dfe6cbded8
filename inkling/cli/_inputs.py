"""What commands are given: data by folder or name, scenarios by name or file, settings, stores, bundles."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inkling.core.config import override, parse, read_toml, to_dict
from inkling.core.errors import BundleError, ConfigError, NotFoundError, nearest
from inkling.core.scenario import Scenario
from inkling.events.schema import DatasetInfo, apply_info

if TYPE_CHECKING:
    from inkling.core.run import Progress
    from inkling.engine.engine import LocalEngine
    from inkling.events.folder import Folder

SCENARIO_PREFIX = "scenario."
MANIFEST = "manifest.json"


def is_store(text: str) -> bool:
    """Tell whether a word is the address of a store."""
    return "://" in text


def is_bundle(text: str) -> bool:
    """Tell whether a word is a folder that looks like a bundle."""
    return (Path(text) / MANIFEST).is_file()


def load_data(text: str, *, progress: Progress | None = None) -> Folder:
    """Load a data folder, or a known data set by its name.

    Raises:
        NotFoundError: It is neither.
        DataError: It cannot be read.
    """
    if Path(text).is_dir():
        from inkling.events.folder import load_folder

        return load_folder(text, progress=progress)
    from inkling import datasets

    if text in datasets.names():
        return datasets.load(text, progress=progress)
    raise NotFoundError(f"'{text}' is neither a folder nor a known data set.", hint=nearest(text, datasets.names()))


def load_scenario(text: str | None, folder: Folder | None = None) -> Scenario:
    """Return a scenario by name or .toml file; else the one that the data names; else the general one."""
    from inkling import scenarios

    if text and text.endswith(".toml"):
        if not Path(text).is_file():
            raise NotFoundError(f"There is no scenario file '{text}'.", hint="Give a file, or a scenario's name.")
        return read_toml(Scenario, Path(text))
    return scenarios.load(text or (folder.info.scenario if folder else "") or scenarios.GENERAL)


def settle(
    folder: Folder, scenario: Scenario, changes: Iterable[tuple[str, Any]]
) -> tuple[Folder, Scenario, dict[str, Any]]:
    """Put everything in its order: the scenario, over it what the data says, over it what the command line says.

    Returns:
        The folder, which has nothing left to say; the scenario; the pipeline's settings.

    Raises:
        ConfigError: A key is unknown or a value does not fit.
    """
    own, settings = resolve(apply_info(scenario, folder.info), changes)
    return replace(folder, info=DatasetInfo(time=own.time)), own, settings


def resolve(scenario: Scenario, changes: Iterable[tuple[str, Any]]) -> tuple[Scenario, dict[str, Any]]:
    """Apply ``--set``: keys that begin with ``scenario.`` change the scenario, others the pipeline's settings.

    Raises:
        ConfigError: A key is unknown or a value does not fit.
    """
    from inkling.engine.pipeline import PIPELINES

    wanted = dict(changes)
    about = {key: value for key, value in wanted.items() if key.startswith(SCENARIO_PREFIX)}
    own = override(scenario, {k.removeprefix(SCENARIO_PREFIX): v for k, v in about.items()}, where="scenario")
    kind = PIPELINES.get(own.pipeline)
    where = f"{own.pipeline} settings"
    config = parse(kind.Config, own.settings, where=where)
    rest = {key: value for key, value in wanted.items() if key not in about}
    return own, to_dict(override(config, rest, where=where))


def read_settings(path: str) -> dict[str, dict[str, Any]]:
    """Return model -> settings of a file that `inkling tune` wrote: TOML, a table ``[models.NAME]`` for each.

    Raises:
        NotFoundError: There is no such file.
        ConfigError: It is no TOML, or has no such tables.
    """
    if not Path(path).is_file():
        raise NotFoundError(f"There is no file of settings '{path}'.", hint="`inkling tune` writes one.")
    try:
        found = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}.") from error
    models = found.get("models")
    if (
        set(found) != {"models"}
        or not isinstance(models, dict)
        or not all(isinstance(m, dict) for m in models.values())
    ):
        raise ConfigError(f"{path} holds {', '.join(found) or 'nothing'}, expected tables [models.NAME].")
    return models


def open_bundle(path: str, *, store: str = "memory://", **options: Any) -> LocalEngine:
    """Open an engine on a bundle, or on what `inkling refit` and `inkling update` made of it since.

    Raises:
        BundleError: The folder is no bundle, or damaged.
    """
    from inkling.engine.bundles import Bundles
    from inkling.engine.engine import open_engine

    if not Path(path).is_dir():
        raise BundleError(f"There is no bundle '{path}'.", hint="Make one: `inkling fit DATA --out BUNDLE`.")
    return open_engine(store, Bundles(path).current(), **options)

"""What the arms of experiments answer with: other bundles and settings, loaded beside the one that is served."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import msgspec

from inkling.core.config import override, parse, to_dict
from inkling.core.errors import ConfigError
from inkling.engine.bundle import Bundle
from inkling.engine.pipeline import PIPELINES
from inkling.engine.serving import Serving
from inkling.experiments.assign import NOBODY, Treatment, together
from inkling.experiments.plan import Arm, Experiment, Plan, layer_of

MOST = 8
"""Combinations of bundles and settings that may be loaded at once: each holds a model and a view of the log."""
_LOG = logging.getLogger("inkling")
_Key = tuple[str, bytes, str]


@dataclass(frozen=True, slots=True)
class Dealt:
    """Questions, by their places, that one serving answers."""

    places: list[int]
    serving: Serving
    treatment: Treatment


class Arms:
    """Keeps a serving for each bundle and settings that an arm asks for; each follows the log like the main one."""

    def __init__(self, read: Callable[[str], Bundle], serve: Callable[[Bundle], Serving]) -> None:
        """Read bundles by name with ``read``, and build what serves them with ``serve``."""
        self._read, self._serve = read, serve
        self._beside: dict[_Key, Serving] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def of(self, treatment: Treatment, main: Serving) -> Serving | None:
        """Return what answers a treatment; None where it is not loaded."""
        if not treatment.bundle and not treatment.settings:
            return main
        return self._beside.get(_key(treatment, main))

    def prepare(self, plan: Plan, main: Serving) -> None:
        """Load what a plan asks for; what was loaded for it already stays.

        Raises:
            ConfigError: It asks for too much, for settings that do not exist, or there is no bundle to change.
            BundleError: A bundle is missing or damaged.
        """
        with self._lock:
            self._prepare(plan, main)

    def _prepare(self, plan: Plan, main: Serving) -> None:
        wanted = {_key(one, main): one for one in treatments(plan) if one.bundle or one.settings}
        if len(wanted) > MOST:
            raise ConfigError(
                f"The experiments combine {len(wanted)} bundles and settings; at most {MOST} are loaded at once.",
                hint="Put experiments into one layer, so that nobody is in two.",
            )
        fresh = {key: self._loaded(one, main) for key, one in wanted.items() if key not in self._beside}
        for serving in fresh.values():
            main.commits.attach(serving.commits.follow, serving.commits.replay)
        kept = {key: serving for key, serving in self._beside.items() if key in wanted}
        for serving in kept.values():
            main.commits.detach(serving.commits.follow)
            main.commits.attach(serving.commits.follow, serving.commits.replay)
        gone = [serving for key, serving in self._beside.items() if key not in wanted]
        self._beside = kept | fresh
        for serving in gone:
            main.commits.detach(serving.commits.follow)
            serving.keeper.stop(timeout_s=0.0)

    def prepare_if_possible(self, plan: Plan, main: Serving) -> None:
        """Load what a plan asks for; where that fails, its people are answered by the main one, under no arm."""
        try:
            self.prepare(plan, main)
        except Exception as error:  # a bundle that was removed must not stop a server that can answer without it
            _LOG.warning("An arm of the experiments cannot be loaded: %s", error)

    def prepare_later(self, plan: Plan, main: Serving) -> None:
        """Load in a thread what another process put into the log."""
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(
                target=self.prepare_if_possible, args=(plan, main), name="inkling-arms", daemon=True
            )
            self._thread.start()

    def _loaded(self, treatment: Treatment, main: Serving) -> Serving:
        bundle = self._read(treatment.bundle) if treatment.bundle else main.bundle
        if bundle is None:
            raise ConfigError("An arm changes settings, and no bundle is served.", hint="Fit first, or name a bundle.")
        return self._serve(with_settings(bundle, treatment.settings))

    def erase(self, user_id: str) -> int:
        """Forget a person in the bundles of all arms; return how many rows went."""
        return sum(serving.bundle.erase(user_id) for serving in self._beside.values() if serving.bundle)

    def stop(self) -> None:
        """End the threads of all arms."""
        for serving in self._beside.values():
            serving.keeper.stop()


def with_settings(bundle: Bundle, settings: Mapping[str, Any]) -> Bundle:
    """Return a bundle whose pipeline answers with other settings; nothing is learned anew.

    Raises:
        ConfigError: A setting does not exist, or a value does not fit.
    """
    if not settings:
        return bundle
    kind = PIPELINES.get(bundle.pipeline_name)
    where = f"{bundle.pipeline_name} settings"
    config = override(parse(kind.Config, dict(bundle.state.settings["config"]), where=where), settings, where=where)
    state = replace(bundle.state, settings={**bundle.state.settings, "config": to_dict(config)})
    return replace(bundle, state=state, path=None)


def treatments(plan: Plan) -> list[Treatment]:
    """Return all that a person may see under a plan: one arm, or none, of each layer."""
    layers: dict[str, list[tuple[Experiment, Arm]]] = {}
    for experiment in plan.experiments:
        layers.setdefault(layer_of(experiment), []).extend((experiment, arm) for arm in experiment.arms)
    return [together(found) for found in _choices(list(layers.values()))] or [NOBODY]


def _choices(layers: list[list[tuple[Experiment, Arm]]]) -> Iterator[list[tuple[Experiment, Arm]]]:
    changing = [[pair for pair in pairs if pair[1].bundle or pair[1].settings] for pairs in layers]
    for found in product(*([None, *pairs] for pairs in changing if pairs)):
        yield [pair for pair in found if pair is not None]


def _key(treatment: Treatment, main: Serving) -> _Key:
    settings = msgspec.json.encode(dict(treatment.settings), order="deterministic")
    return treatment.bundle, settings, "" if treatment.bundle else main.bundle_name

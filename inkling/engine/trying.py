"""The verbs of experiments: what is tried on whom, and who answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from inkling.engine.arms import Arms, Dealt
from inkling.engine.base import Ask
from inkling.engine.profiled import Profiled
from inkling.experiments.assign import NOBODY, Treatment, assign, sealed
from inkling.experiments.plan import Experiment, Plan, plan_row, read_plan
from inkling.stores.base import Changes


class Trying(Profiled):
    """Deals people out to the arms of experiments."""

    _arms: Arms

    def put_experiments(self, plan: str | Path | Mapping[str, Any] | Plan) -> int:
        """Run these experiments, and no others, from now on; return the version that reflects it.

        They are kept in the log, so every restart and every worker deals alike. Bundles of arms are loaded first.

        Raises:
            ConfigError: The plan contradicts itself, or asks for settings that do not exist.
            BundleError: An arm's bundle is missing or damaged.
        """
        wanted = read_plan(plan)
        wanted = msgspec.structs.replace(wanted, experiments=tuple(map(self._sealed, wanted.experiments)))
        if wanted == self.views.plan:
            return self._commits.version
        self._arms.prepare(wanted, self._serving)
        return self._commits.commit(Changes("experiments", (plan_row(wanted),)))

    def _sealed(self, experiment: Experiment) -> Experiment:
        """Return an experiment that names testers by a hash: the log keeps no ids outside of people's own rows."""
        named = {
            who if who.startswith("#") else sealed(self._door.user_id(who)): arm
            for who, arm in experiment.overrides.items()
        }
        return msgspec.structs.replace(experiment, overrides=named)

    def experiments(self) -> dict[str, Any]:
        """Return what runs: the plan as it was put, and the version of the log that it runs from."""
        return {**plan_row(self.views.plan), "version": self.views.plan_version}

    def arm(self, user_id: str | None = None, *, session_id: str | None = None) -> str:
        """Return a person's arms by name, joined by commas; empty for who takes part in nothing."""
        question = Ask(user_id=user_id, session_id=session_id, history=())
        return self._treatment(self._inside([question])[0]).arm

    def _treatment(self, question: Ask) -> Treatment:
        return assign(self.views.plan, user_id=question.user_id, session_id=question.session_id)

    def _dealt(self, questions: Sequence[Ask]) -> list[Dealt]:
        """Return who answers which of the questions, whose ids are those known inside."""
        main, plan = self._serving, self.views.plan
        groups: dict[tuple[str, bool], Dealt] = {}
        for place, question in enumerate(questions):
            treatment = self._treatment(question)
            serving = self._arms.of(treatment, main)
            if serving is None:  # not loaded yet: answered like everybody, and under no arm
                self._arms.prepare_later(plan, main)
                serving, treatment = main, NOBODY
            key = (treatment.arm, treatment.overridden)
            groups.setdefault(key, Dealt([], serving, treatment)).places.append(place)
        return list(groups.values())

    def _inside(self, questions: list[Ask]) -> list[Ask]:
        """Return questions with the ids under which people are known inside."""
        if not self._door.privacy.pseudonyms:
            return questions
        known = self._door.user_id
        return [
            msgspec.structs.replace(
                ask, user_id=ask.user_id and known(ask.user_id), session_id=ask.session_id and known(ask.session_id)
            )
            for ask in questions
        ]

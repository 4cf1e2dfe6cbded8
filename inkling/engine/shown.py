"""What may be shown, before anything is searched; and what is shown of what was found: rules, variety, and k lines."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from inkling.core.arrays import F32, Bool
from inkling.core.candidates import Candidates
from inkling.core.config import parse
from inkling.core.errors import RequestError
from inkling.core.jagged import Jagged
from inkling.core.query import Query
from inkling.core.scenario import Scenario
from inkling.policy.base import Policy, PolicyContext
from inkling.policy.diversify import Diversify, DiversifyConfig
from inkling.policy.rules import Rule, Rules, RulesConfig

_LOG = logging.getLogger("inkling")


class Shown:
    """The limits and policies of one pipeline."""

    def __init__(
        self,
        scenario: Scenario,
        *,
        diversity: float = 0.0,
        mask_of: Callable[[Mapping[str, Any]], Bool] | None = None,
        vectors: Callable[[], F32] | None = None,
    ) -> None:
        """Set up what the scenario and the settings ask for.

        Args:
            scenario: Whether things are shown again, and the rules.
            diversity: Share of variety in the first places, 0 to 1.
            mask_of: Resolves a filter to a mask over items; without it there are no rules.
            vectors: Returns the items' vectors that variety is judged by.
        """
        self._again = scenario.seen == "keep"
        self._vectors = vectors
        self.context = PolicyContext(resolve=self._resolve)
        self._mask_of = mask_of
        rules = parse(RulesConfig, {"rules": list(scenario.rules)}, where="scenario rules").rules if mask_of else ()
        self._filters: tuple[Rule, ...] = tuple(rule for rule in rules if rule.kind == "filter")
        self.policies: list[Policy] = []
        if others := tuple(rule for rule in rules if rule.kind != "filter"):
            self.policies.append(Rules(RulesConfig(rules=others), self.context))
        if diversity > 0:
            self.policies.append(Diversify(DiversifyConfig(relevance=1 - min(diversity, 1.0)), self.context))

    def _resolve(self, where: Mapping[str, Any]) -> Bool:
        """Return the items that a rule names; none where no item ever had the field, since answers must go on."""
        assert self._mask_of is not None
        try:
            return self._mask_of(where)
        except RequestError as error:
            _LOG.warning("A rule of the scenario names no item: %s", error)
            return np.zeros(0, dtype=np.bool_)

    def limited(self, query: Query) -> Query:
        """Return the question without what may not be shown: what the person had, and what filter rules leave out."""
        if self._filters:
            query = replace(query, allowed=self._allowed(query))
        if self._again:
            return query
        had = Jagged(query.history.offsets, query.history.item_rows)
        if query.exclude is not None:
            had = Jagged.from_lists([np.concatenate([had[i], query.exclude[i]]) for i in range(len(query))])
        return replace(query, exclude=had)

    def _allowed(self, query: Query) -> Bool:
        mask = np.ones(query.n_items, dtype=np.bool_) if query.allowed is None else query.allowed.copy()
        for rule in self._filters:
            named = self._resolve(rule.where)[: query.n_items]
            known = np.zeros(query.n_items, dtype=np.bool_)
            known[: len(named)] = named
            mask &= known == rule.keep
        return mask

    def apply(self, query: Query, items: Candidates, k: int) -> Candidates:
        """Return the first k after all policies."""
        if self.policies and self._vectors is not None:
            self.context.vectors = self._vectors()
        for policy in self.policies:
            items = policy.apply(query, items)
        return items.top(k)

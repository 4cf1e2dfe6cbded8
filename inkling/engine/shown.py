"""What is shown: the scenario's rules, variety, and k lines."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from inkling.core.arrays import Bool
from inkling.core.candidates import Candidates
from inkling.core.config import parse
from inkling.core.query import Query
from inkling.core.scenario import Scenario
from inkling.policy.base import Policy, PolicyContext
from inkling.policy.rules import Rules, RulesConfig


class Shown:
    """The policies of one pipeline, in order."""

    def __init__(
        self, scenario: Scenario, *, diversity: float, mask_of: Callable[[Mapping[str, Any]], Bool] | None = None
    ) -> None:
        """Set up the policies that the scenario and the settings ask for."""
        self.policies: list[Policy] = []
        self.context = PolicyContext(resolve=mask_of)
        if scenario.rules and mask_of is not None:
            rules = parse(RulesConfig, {"rules": list(scenario.rules)}, where="scenario rules")
            self.policies.append(Rules(rules, self.context))

    def apply(self, query: Query, items: Candidates, k: int) -> Candidates:
        """Return the first k after all policies."""
        for policy in self.policies:
            items = policy.apply(query, items)
        return items.top(k)

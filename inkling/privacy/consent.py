"""What people allow. An event named ``opt_out`` takes the permission away, ``opt_in`` gives it back, from its own time.

An ``opt_out`` whose text is ``use`` forbids only that events are used for recommendations; any other one, with a text
or without, forbids that they are stored, and so used, at all. The choice itself is stored, or nobody would know of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

OPT_OUT, OPT_IN = "opt_out", "opt_in"
Purpose = Literal["store", "use"]


@dataclass(frozen=True, slots=True)
class Consent:
    """Who forbade what. Immutable: each choice gives a new one."""

    not_stored: frozenset[str] = frozenset()
    not_used: frozenset[str] = frozenset()

    def after(self, row: Mapping[str, Any]) -> Consent:
        """Return the state after one event; any event but a choice leaves it as it is."""
        user_id, event = row.get("user_id"), row.get("event")
        if not user_id or event not in (OPT_OUT, OPT_IN):
            return self
        user = frozenset([str(user_id)])
        if event == OPT_IN:
            return Consent(self.not_stored - user, self.not_used - user)
        if row.get("text") == "use":
            return Consent(self.not_stored, self.not_used | user)
        return Consent(self.not_stored | user, self.not_used | user)

    def after_all(self, rows: Iterable[Mapping[str, Any]]) -> Consent:
        """Return the state after many events, in their order."""
        state = self
        for row in rows:
            state = state.after(row)
        return state


def may(row: Mapping[str, Any], purpose: Purpose, consent: Consent) -> bool:
    """Tell whether an event may be stored, or used; a choice may always be stored and is never used."""
    if row.get("event") in (OPT_OUT, OPT_IN):
        return purpose == "store"
    user_id = row.get("user_id")
    forbidden = consent.not_stored if purpose == "store" else consent.not_used
    return user_id is None or str(user_id) not in forbidden

"""What a business wants: which events count, whether people take the same thing again, how data is cleaned."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from inkling.core.config import Config

Time = Literal["real", "order", "none"]
Seen = Literal["keep", "drop"]


class Cleaning(Config, frozen=True, kw_only=True):
    """Rules of cleaning, each a switch. Row rules see one row; the others run inside each part of a split."""

    drop_missing_user: bool = True
    """Row rule: leave out events without a person (they still may carry a session)."""
    drop_missing_item: bool = True
    """Row rule: leave out events without an item."""
    item_pattern: str = ""
    """Row rule: keep only events whose item id matches this regular expression (whole id); empty keeps all."""
    min_value: float | None = None
    """Row rule: leave out positive events with a value below or equal to this (a purchase of 0 pieces)."""
    clean_text: bool = True
    """Row rule: remove HTML, normalise Unicode (NFC), fold white space in every text column."""
    missing_values: Literal["mark", "fill"] = "mark"
    """Row rule: a missing value stays missing (NaN) or is filled with the event's median inside the part."""
    duplicates: bool = True
    """Part rule: the same event_id, or an equal row, counts once."""
    cancellations: bool = True
    """Part rule: an event named in takes_back removes the latest earlier one that it takes back, from its own time."""
    made_up_profiles: bool = False
    """Part rule: people whose profiles look made up to push an item are left out (see events/profiles)."""
    min_user_events: int = 1
    """Part rule: people with fewer positive events are left out."""
    min_item_events: int = 1
    """Part rule: items with fewer positive events are left out."""
    max_user_events: int = 0
    """Part rule: people with more events than this (robots) are left out; 0 is no limit."""
    outlier_quantile: float = 0.0
    """Part rule: values above this quantile of their event are cut down to it (winsorised); 0 is off."""


class Scenario(Config, frozen=True, kw_only=True):
    """One scenario, as read from ``scenario.toml`` and changed by a data folder's ``dataset.toml``."""

    name: str = "general"
    """Registered name: the folder's name."""
    positive: dict[str, float] = msgspec.field(default_factory=lambda: {"interaction": 1.0})
    """Events that are targets and positive signals, with their weights."""
    positive_value: dict[str, float] = {}
    """Smallest value for an event to be positive, such as rating = 3.5; below it the event is history only."""
    signals: dict[str, float] = {}
    """Events that are history with a weight but no target (a view in a shop); others have weight 0."""
    takes_back: dict[str, str] = {}
    """Event -> the event that it takes back, such as cancellation = "purchase"."""
    seen: Seen = "drop"
    """Whether an item may be recommended again to a person who had it."""
    time: Time = "real"
    """What timestamps mean: real times, an order only, or nothing."""
    score: Literal["probability", "rating"] = "probability"
    """What ``score`` answers: the probability of the target event, or the rating."""
    context: tuple[str, ...] = ()
    """Names of ``context.*`` columns that are features."""
    session_gap_s: float = 1800.0
    """A pause longer than this starts a new session where events carry no session id."""
    cleaning: Cleaning = Cleaning()
    """Rules of cleaning."""
    retention_days: float = 0.0
    """Events older than this before the newest one are left out; 0 keeps all."""
    pipeline: str = "default"
    """Registered name of the pipeline."""
    settings: dict[str, Any] = {}
    """The pipeline's settings."""
    rules: tuple[dict[str, Any], ...] = ()
    """Rules of policy: filter, boost, pin (see policy/rules)."""

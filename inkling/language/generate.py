"""A generative model, if there is one, writes what rules write otherwise: in the background, within a budget.

Profiles of items and people, aspects of reviews, questions to somebody new, reasons. What it says is checked and kept
by the hash of what it was asked; what cannot be used is refused, and the caller goes on with the deterministic words.
"""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec

from inkling.core.config import Config
from inkling.core.errors import ConfigError
from inkling.language._generate_budget import Budget, Ledger, Meter
from inkling.language._generate_http import ChatEndpoint
from inkling.language._generate_local import LocalModel
from inkling.language._generate_prompts import VERSION, messages, repair
from inkling.language._generate_shapes import (
    Aspects,
    ItemNotes,
    PersonNotes,
    Questions,
    Reasons,
    Refused,
    checked,
    decode,
)
from inkling.language._generate_speaker import Failed, Said, Speaker

__all__ = [
    "Aspects",
    "Budget",
    "Generator",
    "ItemNotes",
    "PersonNotes",
    "Questions",
    "Reasons",
    "Speaker",
    "open_speaker",
]

_LOG = logging.getLogger("inkling")
Task = Literal["item", "person", "aspects", "questions", "reasons"]
_SHAPES: dict[str, type[msgspec.Struct]] = {
    "item": ItemNotes,
    "person": PersonNotes,
    "aspects": Aspects,
    "questions": Questions,
    "reasons": Reasons,
}
_MOST_FACTS = 20_000
_LETTERS_PER_TOKEN = 3


class GenerateConfig(Config, frozen=True, kw_only=True):
    """How a generative model is asked."""

    most_tokens: int = 600
    """Length of an answer in tokens."""
    tries: int = 3
    """How often a call that failed is made."""
    pause_s: float = 0.5
    """Pause after the first failure; each further one is twice as long."""
    most_wait_s: float = 120.0
    """Longest wait for the budget's next minute; beyond it the task is left for later."""
    budget: Budget = Budget()
    """What may be spent."""


class GenerateStatus(msgspec.Struct, frozen=True):
    """What a generator did since it was opened, and what this day cost."""

    written: int = 0
    kept: int = 0
    refused: int = 0
    failed: int = 0
    unaffordable: int = 0
    calls_today: int = 0
    tokens_today: int = 0


class Generator:
    """Asks a model, checks what it says, and keeps it. Every method blocks: call them from a thread of their own."""

    def __init__(
        self,
        speaker: Speaker,
        config: GenerateConfig | None = None,
        *,
        path: Path | None = None,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        """Ask ``speaker``.

        Args:
            speaker: The model.
            config: Lengths, tries, budget.
            path: File that keeps answers and what was spent; in memory only where it is left out.
            sleep: Waits so many seconds.
        """
        self.speaker, self.config = speaker, config or GenerateConfig()
        self._ledger = Ledger(path)
        self._meter = Meter(self.config.budget, self._ledger)
        self._sleep = sleep
        self._lock = threading.Lock()
        self._counts = dict.fromkeys(("written", "kept", "refused", "failed", "unaffordable"), 0)

    # -- asking ---------------------------------------------------------------------------------------------------

    def item(self, facts: Mapping[str, Any], language: str = "en") -> ItemNotes | None:
        """Return notes on an item, or None where the model has none that can be used."""
        found: ItemNotes | None = self._written("item", facts, language)
        return found

    def person(self, facts: Mapping[str, Any], language: str = "en", *, owner: str = "") -> PersonNotes | None:
        """Return notes on a person's taste, or None; ``forget_person`` drops them by ``owner``, which is not sent."""
        found: PersonNotes | None = self._written("person", facts, language, owner)
        return found

    def aspects(self, review: str, language: str = "en", *, owner: str = "") -> Aspects | None:
        """Return the aspects of a review with their sentiment, or None; each is in the review's own words.

        ``forget_person`` drops them by ``owner``, who wrote it; the name is not sent.
        """
        found: Aspects | None = self._written("aspects", {"review": review}, language, owner)
        return found

    def questions(self, items: Sequence[Mapping[str, Any]], language: str = "en") -> Questions | None:
        """Return questions to somebody new; each answer stands for some of ``items`` (``item_id``, ``title``, ...)."""
        found: Questions | None = self._written("questions", {"items": list(items)}, language)
        return found

    def reasons(self, items: Sequence[Mapping[str, Any]], language: str = "en") -> Reasons | None:
        """Return a reason for each of ``items`` (``item_id``, ``title``, ``facts``: texts), from these facts alone."""
        found: Reasons | None = self._written("reasons", {"items": list(items)}, language)
        return found

    def known(self, task: Task, facts: Mapping[str, Any], language: str = "en") -> tuple[bool, Any]:
        """Return whether a task was done before, and what came of it; asks nobody and takes microseconds."""
        kept = self._ledger.get(self._key(task, facts, language))
        if kept is None:
            return False, None
        return True, msgspec.json.decode(kept, type=_SHAPES[task]) if kept else None

    def forget(self, task: Task, facts: Mapping[str, Any], language: str = "en") -> None:
        """Drop what was kept of a task, as when a person is erased."""
        self._ledger.drop(self._key(task, facts, language))

    def forget_person(self, owner: str) -> int:
        """Drop everything that was written about a person; return how many answers."""
        return self._ledger.forget(_owner(owner))

    def status(self) -> GenerateStatus:
        """Return what was done and spent."""
        calls, tokens = self._ledger.spent()
        with self._lock:
            return GenerateStatus(**self._counts, calls_today=calls, tokens_today=tokens)

    def close(self) -> None:
        """Close the file."""
        self._ledger.close()

    # -- doing ----------------------------------------------------------------------------------------------------

    def _written(self, task: Task, facts: Mapping[str, Any], language: str, owner: str = "") -> Any:
        done, answer = self.known(task, facts, language)
        if done:
            self._count("kept")
            return answer
        asked = messages(task, facts, language)
        if len(asked[-1]["content"]) > _MOST_FACTS:
            self._count("refused")
            return None
        try:
            answer = self._checked(task, facts, asked)
        except Refused as why:
            _LOG.warning("What '%s' wrote for '%s' is not used: %s", self.speaker.name, task, why)
            self._count("refused")
            self._ledger.put(self._key(task, facts, language), b"")
            return None
        except Failed as why:
            _LOG.warning("'%s' did not write '%s': %s", self.speaker.name, task, why)
            self._count("failed")
            return None
        except _Unaffordable:
            self._count("unaffordable")
            return None
        mine = _owner(owner) if owner else None
        self._ledger.put(self._key(task, facts, language), msgspec.json.encode(answer), owner=mine)
        self._count("written")
        return answer

    def _checked(self, task: Task, facts: Mapping[str, Any], asked: list[dict[str, str]]) -> Any:
        """Return an answer that fits; one that does not is sent back once with the reason."""
        said = self._said(asked)
        try:
            return checked(decode(said.text, _SHAPES[task]), facts)
        except Refused as why:
            mended = self._said([*asked, *repair(said.text, str(why))])
            return checked(decode(mended.text, _SHAPES[task]), facts)

    def _said(self, asked: list[dict[str, str]]) -> Said:
        about = sum(len(one["content"]) for one in asked) // _LETTERS_PER_TOKEN
        pause = self.config.pause_s
        for turn in range(self.config.tries):
            self._afford(about + self.config.most_tokens)
            try:
                said = self.speaker.say(asked, most_tokens=self.config.most_tokens)
            except Failed as why:
                self._meter.count(about)
                if not why.again or turn + 1 == self.config.tries:
                    raise
                self._sleep(max(pause, why.wait_s))
                pause *= 2
            else:
                self._meter.count(said.n_tokens or about + len(said.text) // _LETTERS_PER_TOKEN)
                return said
        raise Failed("it was never asked", again=False)

    def _afford(self, tokens: int) -> None:
        """Wait for the budget's next minute, within limits."""
        waited = 0.0
        while (wait_s := self._meter.wait_s(tokens)) != 0.0:
            if wait_s is None or waited + wait_s > self.config.most_wait_s:
                raise _Unaffordable
            self._sleep(wait_s)
            waited += wait_s

    def _key(self, task: Task, facts: Mapping[str, Any], language: str) -> bytes:
        content = msgspec.json.encode([VERSION, self.speaker.name, task, language, facts], order="sorted")
        return hashlib.blake2b(content, digest_size=16).digest()

    def _count(self, what: str) -> None:
        with self._lock:
            self._counts[what] += 1


class _Unaffordable(Exception):  # noqa: N818 - never leaves this file
    """The budget of this day, or the wait for the next minute, does not allow it."""


def _owner(owner: str) -> bytes:
    return hashlib.blake2b(owner.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def open_speaker(address: str, *, key_variable: str = "", timeout_s: float = 30.0) -> Speaker:
    """Return a model by its address: ``http://host:port/v1#model``, or ``local:FOLDER_OR_NAME``.

    Raises:
        ConfigError: The address is of neither form.
    """
    kind, _, place = address.partition(":")
    if kind == "local" and place:
        return LocalModel(place)
    base_url, _, model = address.partition("#")
    if not model:
        raise ConfigError(
            f"'{address}' names no model.", hint="Write http://host:port/v1#MODEL, or local:FOLDER_OR_NAME."
        )
    return ChatEndpoint(base_url, model, key_variable=key_variable, timeout_s=timeout_s)

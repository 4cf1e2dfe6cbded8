"""What a generative model writes is asked for in the background, through a bounded queue; nobody waits for it."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec

from inkling.core.recommendation import Recommendation
from inkling.engine.base import Asked
from inkling.language.generate import Generator
from inkling.language.profiles import ItemProfile, PersonProfile

_LOG = logging.getLogger("inkling")
_MOST = 256
_ITEM = ("title", "summary", "categories", "keywords", "good_at", "bad_at", "said")
_PERSON = ("about", "likes", "dislikes", "decades", "keywords", "favourites", "cares_about", "asked")


class Writer:
    """Looks up what was written, and has the rest written later; what found no room is asked for the next time."""

    def __init__(self, generator: Generator, *, most: int = _MOST) -> None:
        """Let ``generator`` write, with at most ``most`` tasks waiting."""
        self.generator = generator
        self._tasks: queue.Queue[tuple[bytes, Callable[[], object]] | None] = queue.Queue(most)
        self._waiting: set[bytes] = set()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stopping = False

    def notes(self, profile: ItemProfile | PersonProfile, language: str) -> dict[str, Any] | None:
        """Return a model's words on a profile, or None: not yet, or none that can be used."""
        facts = {name: value for name in _facts_of(profile) if (value := getattr(profile, name))}
        if isinstance(profile, ItemProfile):
            return self._found("item", facts, language, lambda: self.generator.item(facts, language))
        owner = profile.user_id
        return self._found("person", facts, language, lambda: self.generator.person(facts, language, owner=owner))

    def reasons(self, answer: Recommendation, title_of: Callable[[str], str], language: str) -> Recommendation:
        """Return an answer with the model's reasons where it wrote them before; the others are asked for."""
        lines = []
        for line in answer.items:
            if line.reason is None:
                lines.append(line)
                continue
            one = {"item_id": line.item_id, "title": title_of(line.item_id), "facts": [line.reason.text]}
            facts = {"items": [one]}
            ask = _bound(self.generator.reasons, [one], language)
            found = self._found("reasons", facts, language, ask)
            text = found["reasons"][0]["text"] if found else line.reason.text
            lines.append(msgspec.structs.replace(line, reason=msgspec.structs.replace(line.reason, text=text)))
        return msgspec.structs.replace(answer, items=tuple(lines))

    def aspects(self, review: str, language: str, *, owner: str) -> list[dict[str, Any]]:
        """Return a model's aspects of a review (``term``, ``sentiment``); nothing where it wrote none yet."""
        if self._tasks.qsize() * 2 > self._tasks.maxsize:  # the other half is for what somebody looks at
            done, words = self.generator.known("aspects", {"review": review}, language)
            return list(msgspec.to_builtins(words)["aspects"]) if done and words is not None else []
        ask = partial(self.generator.aspects, review, language, owner=owner)
        found = self._found("aspects", {"review": review}, language, ask)
        return found["aspects"] if found else []

    def question(self, asked: Asked, title_of: Callable[[str], str], language: str) -> Asked:
        """Return a question to somebody new in a model's words, where it wrote them and they fit the options."""
        items = [
            {"item_id": item_id, "title": title_of(item_id), "group": place}
            for place, option in enumerate(asked.options)
            for item_id in option.item_ids
        ]
        found = self._found("questions", {"items": items}, language, _bound(self.generator.questions, items, language))
        return _worded(asked, found["questions"] if found else [])

    def _found(
        self, task: Any, facts: dict[str, Any], language: str, write: Callable[[], object]
    ) -> dict[str, Any] | None:
        if not facts:
            return None
        done, words = self.generator.known(task, facts, language)
        if not done:
            self._later(msgspec.json.encode([task, language, facts]), write)
        told: dict[str, Any] | None = None if words is None else msgspec.to_builtins(words)
        return told

    def _later(self, key: bytes, write: Callable[[], object]) -> None:
        with self._lock:
            if key in self._waiting or self._stopping:
                return
            try:
                self._tasks.put_nowait((key, write))
            except queue.Full:
                return
            self._waiting.add(key)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="inkling-writing", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while (task := self._tasks.get()) is not None:
            key, write = task
            try:
                if not self._stopping:
                    write()
            except Exception as error:  # a model's trouble must not end the writing
                _LOG.warning("A generative model failed: %s", error)
            finally:
                with self._lock:
                    self._waiting.discard(key)
                self._tasks.task_done()

    def wait(self, timeout_s: float) -> bool:
        """Wait until everything that was asked for is written or given up; return whether it was so in time."""
        with self._tasks.all_tasks_done:
            return self._tasks.all_tasks_done.wait_for(lambda: not self._tasks.unfinished_tasks, timeout_s)

    def stop(self, *, timeout_s: float = 5.0) -> None:
        """Finish the task at hand and end the thread."""
        with self._lock:
            self._stopping = True
            thread = self._thread
        if thread is None:
            self.generator.close()
            return
        try:
            self._tasks.put(None, timeout=timeout_s)
        except queue.Full:
            _LOG.warning("The generative model is still busy; it is left behind.")
            return
        thread.join(timeout_s)
        if not thread.is_alive():
            self.generator.close()


def _worded(asked: Asked, questions: list[dict[str, Any]]) -> Asked:
    """Return a question in the words of the first that has one choice for each option; as it is without one."""
    place = {item_id: at for at, option in enumerate(asked.options) for item_id in option.item_ids}
    for one in questions:
        options = [{place[item_id] for item_id in choice["item_ids"]} for choice in one["choices"]]
        if sorted(map(tuple, options)) == [(at,) for at in range(len(asked.options))]:
            labels = {at: choice["label"] for (at,), choice in zip(options, one["choices"], strict=True)}
            told = [msgspec.structs.replace(option, label=labels[at]) for at, option in enumerate(asked.options)]
            return msgspec.structs.replace(asked, text=one["question"], options=tuple(told), source="model")
    return asked


def _facts_of(profile: ItemProfile | PersonProfile) -> tuple[str, ...]:
    return _ITEM if isinstance(profile, ItemProfile) else _PERSON


def _bound(write: Callable[..., object], items: list[dict[str, Any]], language: str) -> Callable[[], object]:
    return lambda: write(items, language)

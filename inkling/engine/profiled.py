"""The verbs for profiles, and for a generative model that writes beside the rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import msgspec

from inkling.core.errors import RequestError
from inkling.core.recommendation import Recommendation
from inkling.engine.base import Ask, Onboarded
from inkling.engine.looking import Looking, item_row
from inkling.engine.reasons import LANGUAGES
from inkling.engine.wire import check_rows
from inkling.stores.base import ChangeLog, Changes

if TYPE_CHECKING:
    from inkling.engine.profiling import Profiles
    from inkling.engine.writing import Writer
    from inkling.language.generate import GenerateStatus, Generator


class Profiled(Looking):
    """Looks, and tells and takes profiles."""

    _log: ChangeLog
    _writer: Writer | None = None
    _profiles: Profiles | None = None

    def write_with(self, generator: Generator) -> Self:
        """Let a generative model write beside the rules from now on, in the background; the engine closes it."""
        from inkling.engine.writing import Writer

        self._writer, self._profiles = Writer(generator), None
        return self

    def written(self) -> GenerateStatus | None:
        """Return what the generative model did and what this day cost; None without one."""
        return self._writer.generator.status() if self._writer is not None else None

    def _telling(self) -> Profiles:
        if self._profiles is None:
            from inkling.engine.profiling import Profiles

            self._profiles = Profiles(self._log, self._writer)
        return self._profiles

    def user_profile(self, user_id: str, *, language: str = "en") -> dict[str, Any]:
        """Return what is known of a person as a record and in words; see ``language/profiles``.

        Raises:
            NotFoundError: Nothing is known of them.
            RequestError: The language is unknown.
        """
        _check(language)
        views, row = self.views, self._user_row(user_id)
        told = self._telling().person(views, row, version=self._serving.commits.version, language=language)
        return {**told, "user_id": user_id}

    def item_profile(self, item_id: str, *, language: str = "en") -> dict[str, Any]:
        """Return what is known of an item as a record and in words.

        Raises:
            NotFoundError: There is no such item.
            RequestError: The language is unknown.
        """
        _check(language)
        views, row = self.views, item_row(self.views, item_id)
        return self._telling().item(views, row, version=self._serving.commits.version, language=language)

    def patch_user_profile(self, user_id: str, changes: Mapping[str, Any]) -> int:
        """Change fields of a person's profile, such as their own sentence (``about``); None takes one back.

        What is written stays whatever is learned later, and goes with the person. Return the version that reflects it.

        Raises:
            RequestError: A field does not exist, is not to be changed, or has a value of another type.
        """
        from inkling.engine.profiling import change
        from inkling.language.profiles import PersonProfile

        row = self.views.user_ids.row_of(self._door.user_id(user_id))
        written = change(PersonProfile, self.views.people.get(row), changes)
        rows = self._door.rows(check_rows([{**written, "user_id": user_id}], "user_id"))
        return self._serving.commits.commit(Changes("patch_users", tuple(rows)))

    def patch_item_profile(self, item_id: str, changes: Mapping[str, Any]) -> int:
        """Change fields of an item's profile; None takes one back. Return the version that reflects it.

        Raises:
            NotFoundError: There is no such item.
            RequestError: A field does not exist, is not to be changed, or has a value of another type.
        """
        from inkling.engine.profiling import change
        from inkling.language.profiles import ItemProfile

        written = change(ItemProfile, self.views.catalog.get(item_row(self.views, item_id)), changes)
        return self._serving.commits.commit(
            Changes("patch_items", check_rows([{**written, "item_id": item_id}], "item_id"))
        )

    def onboarding(self, answers: Sequence[int] = (), *, language: str = "en") -> Onboarded:
        """Return what to ask a new person, in the words of a generative model where it wrote them before."""
        found = super().onboarding(answers, language=language)
        if self._writer is None or found.question is None:
            return found
        views = self.views
        asked = self._writer.question(
            found.question, lambda item_id: views.title_of(views.item_ids.row_of(item_id)), language
        )
        return msgspec.structs.replace(found, question=asked)

    def _forget_profile(self, who: str) -> int:
        """Forget what was written of a person; return how many answers of a model went."""
        if self._profiles is not None:
            self._profiles.forget()
        return self._writer.generator.forget_person(who) if self._writer is not None else 0

    def _in_better_words(self, question: Ask, answer: Recommendation) -> Recommendation:
        """Return an answer with the reasons that a generative model wrote earlier, where there is one."""
        if self._writer is None or not question.explain:
            return answer
        views = self.views
        return self._writer.reasons(
            answer, lambda item_id: views.title_of(views.item_ids.row_of(item_id)), question.language
        )


def _check(language: str) -> None:
    if language not in LANGUAGES:
        raise RequestError(f"language is '{language}'.", hint=f"Allowed: {', '.join(LANGUAGES)}.")

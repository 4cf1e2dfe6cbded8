"""From the arguments of ``recommend`` to a question, the same for every engine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from inkling.core.errors import RequestError
from inkling.engine.base import Ask


def question_of(user_id: str | None, fields: Mapping[str, Any]) -> Ask:
    """Return one question.

    Raises:
        RequestError: A field is unknown, or its value has another type.
    """
    if user_id is not None:
        fields = {**fields, "user_id": user_id}
    if isinstance(fields.get("history"), list):
        fields = {**fields, "history": tuple(fields["history"])}
    try:
        return msgspec.convert(fields, Ask)
    except msgspec.ValidationError as error:
        raise RequestError(f"{error}.") from error

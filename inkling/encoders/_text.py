"""What every encoder does to texts first."""

from __future__ import annotations

from collections.abc import Sequence

from inkling.core.errors import RequestError

MAX_CHARACTERS = 8192


def readable(texts: Sequence[str]) -> list[str]:
    """Return the texts' first ``MAX_CHARACTERS`` characters, without lone surrogates, which no tokenizer accepts.

    Raises:
        RequestError: ``texts`` is one string, or holds something that is not a string.
    """
    if isinstance(texts, str):
        raise RequestError("encode was given one string, expected a sequence of texts.", hint="Write encode([text]).")
    return [_clean(text) for text in texts]


def _clean(text: str) -> str:
    if not isinstance(text, str):
        raise RequestError(f"encode was given a {type(text).__name__}, expected texts.", hint="Use '' for no text.")
    if len(text) > MAX_CHARACTERS:
        text = text[:MAX_CHARACTERS]
    return text if text.isascii() else text.encode("utf-8", "replace").decode()

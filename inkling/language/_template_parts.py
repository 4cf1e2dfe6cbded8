"""Templates in pieces: text, named fields, and parts that are left out where a field in them is not known."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from inkling.core.errors import ConfigError

Value = str | None

_PIECE = re.compile(r"\{\{|\}\}|\[\[|\]\]|\{[^{}\[\]]*\}|[{}\[\]]|[^{}\[\]]+")
_NAME = re.compile(r"[^\W\d]\w*")


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a template: text, or a field's name."""

    text: str
    is_field: bool
    group: int  # the optional part that it stands in; -1 for none


def parsed(text: str, known: Sequence[str], where: str) -> tuple[Part, ...]:
    """Return the pieces of a template.

    Args:
        text: The template.
        known: Names of fields.
        where: What the template is of, for the message.

    Raises:
        ConfigError: A brace is left open, a field is not known, or an optional part stands in another.
    """
    parts: list[Part] = []
    group, n_groups = -1, 0
    for piece in _PIECE.findall(text):
        if piece in ("{{", "}}", "[[", "]]"):
            parts.append(Part(piece[0], is_field=False, group=group))
        elif piece == "[" and group < 0:
            group, n_groups = n_groups, n_groups + 1
        elif piece == "]" and group >= 0:
            group = -1
        elif piece in ("{", "}", "[", "]"):
            raise ConfigError(
                f"The template's {where} has a '{piece}' that nothing closes or opens: {text!r}.",
                hint=f"Write {piece * 2} for the character itself; optional parts do not stand in each other.",
            )
        elif piece.startswith("{"):
            parts.append(Part(_known(piece[1:-1], known, where), is_field=True, group=group))
        else:
            parts.append(Part(piece, is_field=False, group=group))
    if group >= 0:
        raise ConfigError(f"The template's {where} has a '[' that nothing closes: {text!r}.", hint="Write [[ for a [.")
    return tuple(parts)


def _known(name: str, known: Sequence[str], where: str) -> str:
    if name in known:
        return name
    said = f"Known: {', '.join(known)}."
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"The template's {where} has '{{{name}}}': only a field's name may stand in braces.", hint=said
        )
    raise ConfigError(f"The template's {where} has an unknown field '{name}'.", hint=said)


def filled(parts: Sequence[Part], values: Mapping[str, Value]) -> str:
    """Return the text; a field that is not known is empty, and takes the optional part it stands in along."""
    missing = {part.group for part in parts if part.is_field and part.group >= 0 and not values.get(part.text)}
    kept = (part for part in parts if part.group < 0 or part.group not in missing)
    return "".join((values.get(part.text) or "") if part.is_field else part.text for part in kept)

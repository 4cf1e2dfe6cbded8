"""Masks what identifies a person in a free text: e-mail addresses, telephone numbers, payment cards.

Numbers are masked for their form, not for being long: prices, years, dates, times and product codes stay. A card must
have a known issuer's prefix and length and pass the Luhn check; a telephone number must be international (``+``), a
mainland Chinese mobile or landline number, or written in the North American form. Full width digits count as digits.
"""

from __future__ import annotations

import re

EMAIL, CARD, PHONE = "[email]", "[card]", "[phone]"

_SUSPECT = re.compile(r"@|\d(?:[^\d\n]{0,4}\d){6}")
_WIDE = str.maketrans("０１２３４５６７８９＋－（）＠．", "0123456789+-()@.")
_BEFORE, _AFTER = r"(?<![\w.,¥$€£+-])", r"(?![A-Za-z0-9_]|[.,-]\d)"
_BEFORE_CJK = r"(?<![A-Za-z0-9_.,¥$€£+-])"

_EMAIL = re.compile(r"[A-Za-z0-9._%+'-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z][A-Za-z0-9-]{1,62}", re.ASCII)
_CARD = re.compile(
    _BEFORE_CJK + r"(?:\d{4}[ -]\d{6}[ -]\d{4,5}|\d{4}(?:[ -]\d{4}){3}(?:[ -]\d{1,3})?|\d{14,19})" + _AFTER, re.ASCII
)
_PHONES = (
    re.compile(r"(?<![A-Za-z0-9_.])(?:\+|00)\d{1,3}(?:[ .-]?\(\d{1,4}\))?(?:[ .-]?\d{1,5}){2,6}" + _AFTER, re.ASCII),
    re.compile(_BEFORE_CJK + r"(?:86[ -]?)?1[3-9]\d[ -]?\d{4}[ -]?\d{4}" + _AFTER, re.ASCII),
    re.compile(_BEFORE_CJK + r"(?:\(0\d{2,3}\) ?|0\d{2,3}[ -])[2-9]\d{6,7}(?:-\d{1,5})?" + _AFTER, re.ASCII),
    re.compile(_BEFORE_CJK + r"(?:1[ .-])?(?:\([2-9]\d{2}\) ?|[2-9]\d{2}[.-])[2-9]\d{2}[ .-]\d{4}" + _AFTER, re.ASCII),
)
_ISSUERS = re.compile(
    r"4\d{15}(?:\d{3})?|(?:5[1-5]\d{2}|222[1-9]|22[3-9]\d|2[3-6]\d{2}|27[01]\d|2720)\d{12}|3[47]\d{13}"
    r"|(?:6011|65\d{2}|64[4-9]\d)\d{12}|35(?:2[89]|[3-8]\d)\d{12}|3(?:0[0-5]|[68]\d)\d{11}|62\d{14,17}"
)


def redact(text: str) -> str:
    """Return ``text`` with e-mail addresses, card and telephone numbers masked as [email], [card] and [phone]."""
    plain = text if text.isascii() else text.translate(_WIDE)
    if not _SUSPECT.search(plain):
        return text
    spans = [(*match.span(), EMAIL) for match in _EMAIL.finditer(plain)]
    spans += [(*match.span(), CARD) for match in _CARD.finditer(plain) if is_card(match.group())]
    for pattern in _PHONES:
        spans += [(*match.span(), PHONE) for match in pattern.finditer(plain) if _is_phone(match.group())]
    return _masked(text, spans) if spans else text


def is_card(number: str) -> bool:
    """Tell whether digits (spaces and hyphens aside) have an issuer's prefix and length, and pass the Luhn check."""
    digits = re.sub(r"\D", "", number)
    return _ISSUERS.fullmatch(digits) is not None and luhn(digits)


def luhn(digits: str) -> bool:
    """Tell whether digits pass the Luhn check (ISO/IEC 7812-1)."""
    doubled = [int(d) * 2 if place % 2 else int(d) for place, d in enumerate(reversed(digits))]
    return sum(d - 9 if d > 9 else d for d in doubled) % 10 == 0


def _is_phone(number: str) -> bool:
    n_digits = sum(character.isdigit() for character in number)
    return 8 <= n_digits <= 17


def _masked(text: str, spans: list[tuple[int, int, str]]) -> str:
    """Replace spans, the longer one first where two overlap."""
    parts: list[str] = []
    done = 0
    for start, end, mask in sorted(spans, key=lambda span: (span[0], -span[1])):
        if start >= done:
            parts += [text[done:start], mask]
            done = end
    return "".join([*parts, text[done:]])

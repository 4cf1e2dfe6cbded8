"""Grounds into words, in the person's language. The words claim only what the model's own grounds say."""

from __future__ import annotations

from collections.abc import Callable

from inkling.core.recommendation import Reason
from inkling.engine.pipeline import Explanation
from inkling.language.aspects import aspect_name

_WORDS: dict[str, dict[str, str]] = {
    "en": {
        "repeat": "You had this before",
        "because_item": "Goes with {items}",
        "follows": "Often comes after {items}",
        "text": "Reads like {items}",
        "query": "Matches what you asked for",
        "about": "Fits what you say about yourself",
        "aspect": "Good at {aspects}, which matters to you",
        "popular": "Many people choose this now",
        "popular_context": "Many people like you choose this now",
        "friends": "People you are connected with choose this",
        "rule": "Placed here by a rule of this shop",
        "": "Fits what you did so far",
    },
    "zh": {
        "repeat": "您以前选过",
        "because_item": "与{items}搭配",
        "follows": "常在{items}之后被选择",
        "text": "内容与{items}相近",
        "query": "符合您的描述",
        "about": "符合您的自我介绍",
        "aspect": "{aspects}口碑好，正是您看重的",
        "popular": "最近很多人选择",
        "popular_context": "与您相似的人最近常选",
        "friends": "您关注的人选择过",
        "rule": "由店铺规则安排",
        "": "符合您至今的选择",
    },
}
_JOINT = {"en": (" and ", "“{}”"), "zh": ("和", "《{}》")}
LANGUAGES = tuple(_WORDS)


def reason_of(
    explanation: Explanation, title_of: Callable[[int], str], id_of: Callable[[int], str], *, language: str
) -> Reason:
    """Return an explanation as a reason in words.

    Args:
        explanation: The grounds.
        title_of: Item row -> what people call it.
        id_of: Item row -> external id.
        language: ``en`` or ``zh``; another falls back to ``en``.
    """
    words = _WORDS.get(language, _WORDS["en"])
    joint, quote = _JOINT.get(language, _JOINT["en"])
    rows = [
        ground.item_row for ground in explanation.because if ground.item_row >= 0 and ground.kind == explanation.kind
    ]
    template = words.get(explanation.kind, words[""])
    if "{items}" in template:
        shown = joint.join(quote.format(title_of(row)) for row in rows[:2])
        template = template.format(items=shown) if shown else words[""]
    if "{aspects}" in template:
        known = language if language in _WORDS else "en"
        named = [aspect_name(ground.about, known) for ground in explanation.because if ground.about]
        template = template.format(aspects=joint.join(named[:2])) if named else words[""]
    return Reason(
        kind=explanation.kind,
        text=template,
        item_ids=tuple(id_of(row) for row in rows),
        contributions=dict(explanation.contributions),
    )

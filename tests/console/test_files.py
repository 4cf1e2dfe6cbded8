"""The console's files as they lie: nothing from elsewhere, both languages whole, safe by construction."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

FOLDER = files("inkling").joinpath("console")
PAGES = {page.name: page.read_text(encoding="utf-8") for page in FOLDER.iterdir() if page.is_file()}


def test_there_is_no_python_and_no_build_step():
    assert {name.rpartition(".")[2] for name in PAGES} == {"html", "js", "css", "svg"}


@pytest.mark.parametrize("name", sorted(PAGES))
def test_nothing_comes_from_elsewhere(name):
    addresses = re.findall(r"(?:https?:)?//[a-z][\w.-]+\.[a-z]+", PAGES[name])
    assert set(addresses) <= {"http://www.w3.org"}


@pytest.mark.parametrize("name", sorted(name for name in PAGES if name.endswith(".js")))
def test_data_never_becomes_markup_or_code(name):
    for danger in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function"):
        assert danger not in PAGES[name]


def test_the_page_has_no_inline_script_or_style():
    assert not re.search(r"<script(?![^>]*\bsrc=)", PAGES["index.html"])
    assert not re.search(r"\son\w+=|\sstyle=|<style", PAGES["index.html"])


def test_both_languages_say_everything():
    english, chinese = (
        re.findall(r"\b(\w+): \"", block)
        for block in re.findall(r"^  (?:en|zh): \{$(.*?)^  \},$", PAGES["i18n.js"], re.S | re.M)[:2]
    )
    assert len(english) > 40
    assert sorted(english) == sorted(chinese)


def test_every_word_that_is_asked_for_exists():
    known = set(re.findall(r"\b(\w+): \"", PAGES["i18n.js"]))
    asked = {
        word
        for text in PAGES.values()
        for word in re.findall(r"\bt\(\"(\w+)\"|data-t=\"(\w+)\"", text)
        for word in word
        if word
    }
    assert asked <= known


def _themes():
    """Return the variables of the light theme and of the dark one."""
    light, dark = re.findall(r":root \{(.*?)\}", PAGES["style.css"], re.S)
    read = [dict(re.findall(r"--([\w-]+): (#[0-9a-f]{3,6});", block)) for block in (light, dark)]
    return {"light": read[0], "dark": {**read[0], **read[1]}}


def _luminance(colour):
    full = "".join(2 * one for one in colour[1:]) if len(colour) == 4 else colour[1:]
    parts = [int(full[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


PAIRS = [(text, ground) for text in ("ink", "soft", "faint", "accent") for ground in ("paper", "card")]
PAIRS += [(name, f"{name}-bg") for name in ("again", "with", "many", "words", "other")]
PAIRS += [("fresh", "fresh-soft"), ("ink", "fresh-soft"), ("soft", "fresh-soft"), ("accent", "accent-soft")]
PAIRS += [("soft", "hair"), ("minus", "card"), ("on-accent", "accent")]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(("text", "ground"), PAIRS)
def test_text_can_be_read(theme, text, ground):
    """WCAG 2.1 AA asks for 4.5 to 1."""
    colours = _themes()[theme]
    lighter, darker = sorted((_luminance(colours[text]), _luminance(colours[ground])), reverse=True)
    assert (lighter + 0.05) / (darker + 0.05) >= 4.5

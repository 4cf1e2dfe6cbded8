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

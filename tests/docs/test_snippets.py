"""Each snippet of the pages is run, in the page's order: Python in one namespace, commands as a shell would.

A block tagged ``text`` right after a snippet is what the snippet prints, to the letter. ``python no-run`` is shown.
"""

import contextlib
import csv
import io
import random
import re
import shlex
from pathlib import Path

import pytest

from inkling.cli import main

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("README*.md"), ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")])
BLOCK = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
SKIPPED = ("inkling demo", "inkling serve")
GIVEN = {"http.md": "import inkling\nengine = inkling.open()\n"}
"""What a page speaks of as known."""


def blocks(page):
    return [(match[1].strip(), match[2]) for match in BLOCK.finditer(page.read_text(encoding="utf-8"))]


def write_shop(folder):
    """Write the small shop that pages speak of: people who each like one colour."""
    rng = random.Random(0)
    folder.mkdir()
    items = [
        (f"{colour}-{thing}", f"{colour} {thing}")
        for colour in ("red", "blue")
        for thing in ("mug", "bowl", "lamp", "clock")
    ]
    with (folder / "items.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("item_id", "title"), *items])
    with (folder / "events.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("user_id", "item_id", "timestamp", "event"))
        for person in range(40):
            for _ in range(12):
                item = rng.choice([item for item in items if item[0].startswith(("red", "blue")[person % 2])])
                rows.writerow((f"u{person}", item[0], 1_700_000_000 + rng.randrange(60 * 86_400), "purchase"))
    (folder / "dataset.toml").write_text(
        'scenario = "retail"\ntime = "real"\nseen = "keep"\n[positive]\npurchase = 1.0\n'
    )


def run_python(code, page, names):
    told = io.StringIO()
    with contextlib.redirect_stdout(told):
        exec(compile(code, page.name, "exec"), names)
    return told.getvalue()


def run_commands(text):
    """Run the lines that begin with ``$ inkling``; a line that ends with a backslash goes on."""
    lines = text.replace("\\\n", " ").splitlines()
    commands = [line.removeprefix("$ ") for line in lines if line.startswith("$ inkling ")]
    for command in commands:
        if not command.startswith(SKIPPED):
            assert main(shlex.split(command, comments=True)[1:]) == 0, command
    return commands


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_snippets_run_and_print_what_they_say(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_shop(tmp_path / "shop")
    names = {"__name__": "snippet"}
    exec(GIVEN.get(page.name, ""), names)
    printed = None
    for tag, content in blocks(page):
        if tag == "python":
            printed = run_python(content, page, names)
        elif tag == "console":
            run_commands(content)
            printed = None
        else:
            if tag == "text" and printed is not None:
                assert printed == content
            printed = None


def test_pages_have_snippets_of_known_kinds():
    tags = {tag for page in PAGES for tag, _ in blocks(page)}
    assert tags <= {"", "python", "python no-run", "console", "bash", "text", "toml", "json", "csv"}
    assert sum(tag == "python" for page in PAGES for tag, _ in blocks(page)) > 20


def test_links_between_pages_lead_somewhere():
    for page in PAGES:
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} -> {target}"

"""``inkling onboard``: two or three questions to somebody new, and what they are then shown."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from inkling.cli import _answers, _arguments, _inputs, _screen

if TYPE_CHECKING:
    from inkling.engine.base import Asked, Onboarded
    from inkling.engine.engine import LocalEngine

EXAMPLES = """\
examples:
  inkling onboard out/retail
  inkling onboard out/retail --answers 0,2 --json
  inkling onboard out/retail --answers=-1,0 --language zh -k 5
"""
_WORDS = {
    "en": ("Your choice (0 to {most}, nothing ends): ", "Please give a number from 0 to {most}."),
    "zh": ("请选择（0 到 {most}，直接回车结束）：", "请输入 0 到 {most} 之间的数字。"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """State the arguments."""
    _arguments.add_bundle(parser)
    add = parser.add_argument
    add(
        "--answers",
        type=_arguments.whole_numbers,
        metavar="A,B",
        help="answers instead of asking, as over HTTP: an option's position from 0, or -1 for none of them",
    )
    add("-k", type=int, default=10, metavar="K", help="how many items are shown then (10)")
    add("--language", choices=("en", "zh"), default="en", help="of the questions and reasons (en)")
    _arguments.add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Ask, and show what the answers lead to."""
    with _inputs.open_bundle(args.bundle) as engine:
        if args.answers is not None:
            found = engine.onboarding(args.answers, language=args.language)
        elif args.json:
            found = engine.onboarding(language=args.language)
        else:
            found = _talk(engine, args.language)
        answer = engine.recommend(history=list(found.history), k=args.k, explain=not args.json, language=args.language)
        if args.json:
            _answers.write({"question": found.question, "history": found.history, "answer": answer})
            return 0
        if found.question is not None and args.answers is not None:
            _show(found.question)
        _answers.show(engine, answer)
    return 0


def _talk(engine: LocalEngine, language: str) -> Onboarded:
    """Ask until no further question tells much, or nothing is answered; return what the answers are worth."""
    answers: list[int] = []
    found = engine.onboarding(answers, language=language)
    while found.question is not None:
        _show(found.question)
        answer = _heard(len(found.question.options), language)
        if answer is None:
            break
        answers.append(answer)
        found = engine.onboarding(answers, language=language)
    return found


def _show(asked: Asked) -> None:
    from rich.text import Text

    console = _screen.out()
    console.print(Text(asked.text, style="bold"), soft_wrap=True)
    for place, option in enumerate(asked.options, start=1):
        console.print(Text(f"  {place}  {option.label}"), soft_wrap=True)
    console.print(Text(f"  0  {asked.none}", style="dim"), soft_wrap=True)


def _heard(n_options: int, language: str) -> int | None:
    """Return the position that was chosen, -1 for none of them; None where nothing was said."""
    prompt, again = (words.format(most=n_options) for words in _WORDS[language])
    while True:
        try:
            said = input(prompt).strip()
        except EOFError:
            return None
        if not said:
            return None
        if said.isdecimal() and 0 <= int(said) <= n_options:
            return int(said) - 1
        _screen.note(again)

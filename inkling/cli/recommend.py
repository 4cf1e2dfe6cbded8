"""``inkling recommend``: an answer for a person, a sentence or a list of items."""

from __future__ import annotations

import argparse

from inkling.cli import _answers, _arguments, _inputs, _screen
from inkling.core.errors import RequestError

EXAMPLES = """\
examples:
  inkling recommend out/retail --user 14646
  inkling recommend out/retail --text "red mug" -k 5 --explain
  inkling recommend out/retail --history 22423,85123A --context country=France --json
  inkling recommend out/retail --store file:///a/folder --text "under 5, not red" --after RECOMMENDATION_ID
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """State the arguments."""
    _arguments.add_bundle(parser)
    add = parser.add_argument
    add("--user", metavar="ID", help="who is asked for")
    add("-k", type=int, default=10, metavar="K", help="how many items (10)")
    add("--text", metavar="WORDS", help="what the person says, in any language")
    add("--history", type=_arguments.words, metavar="A,B", help="items, oldest first, instead of what is known")
    add(
        "--context",
        type=_arguments.pair,
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="such as country=France",
    )
    add(
        "--after",
        metavar="ID",
        help="recommendation_id of an answer in --store that --text follows up",
    )
    add("--store", default="memory://", metavar="URL", help="where answers are kept: memory:// or file:///a/folder")
    add("--explain", action="store_true", help="show the reasons and what each signal contributed")
    add("--language", choices=("en", "zh"), default="", help="language of the reasons (the person's own)")
    _arguments.add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Ask and show."""
    from inkling.engine.base import Ask

    if args.user is None and args.text is None and args.history is None:  # --after needs --text
        raise RequestError("Nobody was asked for.", hint="Give --user ID, --text WORDS or --history A,B.")
    question = Ask(
        user_id=args.user,
        k=args.k,
        text=args.text,
        history=args.history,
        context=dict(args.context),
        after=args.after,
        explain=args.explain,
        language=args.language,
    )
    with _inputs.open_bundle(args.bundle, store=args.store) as engine:
        answer = engine.ask(question)
        if args.json:
            _answers.write(answer)
            return 0
        if args.user is not None and not engine.history(args.user, limit=1):
            _screen.note(f"Nothing is known of '{args.user}' yet.")
        _answers.show(engine, answer, explain=args.explain)
        if args.store != "memory://":
            _screen.note(f"Follow it up: --after {answer.id} --text cheaper")
    return 0

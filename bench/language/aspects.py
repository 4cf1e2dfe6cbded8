# ruff: noqa: E402 - the number of threads must be set before numpy is imported
"""Aspects and their sentiment: ``python -m bench language aspects [--seeds 0,1,2] [--threads 2]``.

mams, its own parts: all-MiniLM-L6-v2 is fine-tuned on the training sentences with marked terms, and on those with
marked categories but for the ones that stand in the terms' validation or test part; the best epoch on the validation
terms answers for the test part, through ONNX. Of the categories' test part only sentences count that no training part
has. Reported: the sentiment of given terms, the terms that are found (F1 of exact spans), the sentiment of given
categories, and minutes from the first sentence to the written model. Beside it the lexicon, which learns nothing.
waimai has no parts: a fifth of it, drawn by the seed, is held out; the model is logistic regression on hashed words and
character n-grams. Each seed is kept as it comes.
"""

from __future__ import annotations

from bench._kept import OUT, keep, one_thread

one_thread()

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from rich.console import Console
from rich.table import Table

from inkling.core.run import Run
from inkling.datasets import load_tables
from inkling.language._aspects_data import without
from inkling.language.aspects import POLARITIES, AspectModel, LexiconReader, LinearSentiment, Marked, marked

GOALS = {"term accuracy": 0.75, "waimai accuracy": 0.85}
MOST_MINUTES = 25.0


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="bench.language.aspects", description=__doc__.split("\n\n")[0])
    parser.add_argument("--seeds", default="0,1,2", help="by comma (0,1,2)")
    parser.add_argument("--data", type=Path, help="folder of the public data sets; default: INKLING_DATA")
    parser.add_argument("--out", type=Path, default=OUT, help=f"where results are kept ({OUT})")
    parser.add_argument("--threads", type=int, default=2, help="threads of the training (2)")
    parser.add_argument("--minutes", type=float, default=20.0, help="of training, at most (20)")
    parser.add_argument("--epochs", type=int, default=5, help="at most (5)")
    parser.add_argument("--quick", action="store_true", help="a tenth of the sentences, one epoch: does it run?")
    parser.add_argument("--part", default="test", choices=("val", "test"), help="what mams is measured on (test)")
    parser.add_argument("--only", default="mams,waimai", help="mams, waimai, or both by comma")
    options = parser.parse_args(argv)
    console, name = Console(width=120), f"language-aspects{'-quick' if options.quick else ''}"
    rows: list[dict[str, Any]] = []
    for seed in (int(word) for word in options.seeds.split(",")):
        run = Run(seed=seed, n_threads=options.threads, watch=lambda what, step, value: told(console, what, value))
        row: dict[str, Any] = {"seed": seed, "part": options.part}
        if "mams" in options.only:
            row |= mams(options, run)
        if "waimai" in options.only:
            row |= waimai(options.data, run)
        rows.append(row)
        keep(name, {"goals": GOALS, "most_minutes": MOST_MINUTES, "rows": rows}, out=options.out)
        console.print(f"[dim]{row}[/]", highlight=False)
    console.print(table(rows))
    return 0


def told(console: Console, what: str, value: float) -> None:
    console.print(f"[dim]{what} {value:.4f}[/]", highlight=False)


def mams(options: argparse.Namespace, run: Run) -> dict[str, Any]:
    """Train and measure on mams."""
    from inkling.language._aspects_train import AspectTraining, train_aspects

    tables = load_tables("mams", options.data)
    terms, categories = (
        {part: tables[kind].filter(pl.col("part") == part) for part in ("train", "val", "test")}
        for kind in ("terms", "categories")
    )
    held = [one for part in ("val", "test") for one in marked(terms[part])]
    learned = [*marked(terms["train"]), *without(marked(None, categories["train"]), held)]
    validation = marked(terms["val"])
    if options.quick:
        learned, validation = learned[::10], validation[::5]
    begin = time.perf_counter()
    config = AspectTraining(epochs=1 if options.quick else options.epochs, max_minutes=options.minutes)
    taught = train_aspects(learned, validation, config, run)
    folder = options.out / f"aspects-{run.seed}"
    taught.model.save(folder)
    minutes = (time.perf_counter() - begin) / 60
    model = AspectModel.load(folder)
    seen = marked(terms["train"], categories["train"])
    asked, places = marked(terms[options.part]), without(marked(None, categories[options.part]), seen)
    begin = time.perf_counter()
    found = {
        "term accuracy": term_accuracy(model, asked),
        "term accuracy, lexicon": lexicon_accuracy(asked),
        "extraction F1": extraction_f1(model, asked),
        "category accuracy": category_accuracy(model, places),
    }
    return found | {
        "minutes": minutes,
        "answer_ms": 1000 * (time.perf_counter() - begin) / (2 * len(asked) + len(places)),
        "best_epoch": taught.trained.best_epoch,
        "validation": taught.trained.best,
        "epochs": taught.trained.epochs,
        "n_learned": len(learned),
        "n_terms": sum(len(one.terms or ()) for one in asked),
        "n_category_sentences": len(places),
    }


def term_accuracy(model: AspectModel, sentences: Sequence[Marked]) -> float:
    """Return the share of marked terms whose sentiment is right."""
    judged = model.judge(sentences)
    pairs = [
        (POLARITIES[int(shares.argmax())], term.polarity)
        for one, answer in zip(sentences, judged, strict=True)
        for term, (_, _, shares) in zip(one.terms or (), answer.terms, strict=True)
    ]
    return float(np.mean([guess == truth for guess, truth in pairs]))


def lexicon_accuracy(sentences: Sequence[Marked]) -> float:
    """Return the same of the lexicon: the mention that overlaps a term, neutral where there is none."""
    mentions = LexiconReader().read([one.text for one in sentences])
    pairs = [
        (next((m.sentiment for m in own if m.begin < term.end and m.end > term.begin), 0), term.polarity)
        for one, own in zip(sentences, mentions, strict=True)
        for term in one.terms or ()
    ]
    return float(np.mean([POLARITIES[guess + 1] == truth for guess, truth in pairs]))


def extraction_f1(model: AspectModel, sentences: Sequence[Marked]) -> float:
    """Return F1 of the terms found, micro-averaged, by exact span."""
    found = model.judge([Marked(one.text) for one in sentences])
    guessed = [{(begin, end) for begin, end, _ in one.terms} for one in found]
    truth = [{(term.begin, term.end) for term in one.terms or ()} for one in sentences]
    both = sum(len(a & b) for a, b in zip(guessed, truth, strict=True))
    return 2 * both / max(sum(map(len, guessed)) + sum(map(len, truth)), 1)


def category_accuracy(model: AspectModel, sentences: Sequence[Marked]) -> float:
    """Return the share of marked categories whose sentiment is right."""
    names = list(model.card.categories)
    judged = model.judge([Marked(one.text) for one in sentences])
    pairs = [
        (POLARITIES[int(answer.categories[names.index(category), 1:].argmax())], polarity)
        for one, answer in zip(sentences, judged, strict=True)
        for category, polarity in one.categories or ()
        if category in names
    ]
    n = sum(len(one.categories or ()) for one in sentences)
    return sum(guess == truth for guess, truth in pairs) / max(n, 1)


def waimai(root: Path | None, run: Run) -> dict[str, Any]:
    """Learn four fifths of waimai, measure the rest."""
    reviews = load_tables("waimai", root)["reviews"]
    texts, truth = reviews["comment"].to_list(), reviews["sentiment"].to_numpy() == 1
    order = run.rng("waimai").permutation(len(texts))
    held, learned = order[: len(order) // 5], order[len(order) // 5 :]
    begin = time.perf_counter()
    model = LinearSentiment().fit([texts[row] for row in learned], truth[learned])
    seconds = time.perf_counter() - begin
    guess = model.positive([texts[row] for row in held]) > 0.5
    usual = max(float(truth[held].mean()), 1 - float(truth[held].mean()))
    return {"waimai accuracy": float((guess == truth[held]).mean()), "waimai usual": usual, "waimai_s": seconds}


def table(rows: Sequence[dict[str, Any]]) -> Table:
    """Return means over seeds beside the goals."""
    out = Table(title=f"aspects: {len(rows)} seeds, mams {rows[0]['part']}", title_justify="left")
    for name in ("what", "mean", "seeds", "goal", ""):
        out.add_column(name)
    for name in ("term accuracy", "term accuracy, lexicon", "extraction F1", "category accuracy", "waimai accuracy",
                 "waimai usual", "minutes", "answer_ms"):  # fmt: skip
        values = [row[name] for row in rows if name in row]
        if values:
            out.add_row(name, f"{np.mean(values):.4f}", " ".join(f"{v:.4f}" for v in values), *_verdict(name, values))
    return out


def _verdict(name: str, values: Sequence[float]) -> tuple[str, str]:
    if name == "minutes":
        return f"<= {MOST_MINUTES:g}", "reached" if max(values) <= MOST_MINUTES else "MISSED"
    if name not in GOALS:
        return "", ""
    return f">= {GOALS[name]:.2f}", "reached" if float(np.mean(values)) >= GOALS[name] else "MISSED"


if __name__ == "__main__":
    raise SystemExit(main())

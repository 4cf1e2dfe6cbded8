"""An evaluation as one HTML file that needs nothing else: tables, plots, settings; light and dark."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from html import escape

from inkling.evaluation.charts import Bar, Dot, bars, scatter
from inkling.evaluation.output import EvaluationReport, ModelReport
from inkling.evaluation.table import caption, main_group, price, title

_STYLE = """
:root{color-scheme:light dark;--ink:#1b1f24;--dim:#5c6670;--paper:#fff;--line:#d9dee3;--bar:#9db4c8;--own:#0b6e4f}
@media(prefers-color-scheme:dark){:root{--ink:#e6e9ec;--dim:#9aa4ae;--paper:#14171a;--line:#31373d;--bar:#4d667c;--own:#3fbf94}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:60rem}
body{margin:2rem auto;padding:0 1rem}
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2.2rem}p,figcaption{color:var(--dim)}figure{margin:1rem 0}
.wide{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums}caption{text-align:left}
th,td{padding:.25rem .7rem;border-bottom:1px solid var(--line);text-align:right;white-space:nowrap}
th:first-child,td:first-child{text-align:left}td.best{font-weight:700;color:var(--own)}
svg{max-width:100%;height:auto}svg text{font:12px system-ui,sans-serif;fill:var(--ink)}
.label{text-anchor:end}.middle{text-anchor:middle}.start{text-anchor:start}.bar,.dot{fill:var(--bar)}.own{fill:var(--own)}
.whisker,.axis{stroke:var(--ink);fill:none;opacity:.7}code,pre{font-size:.85rem}pre{overflow-x:auto}
"""


def render_html(report: EvaluationReport, *, name: str = "Evaluation") -> str:
    """Return a page; ``name`` is its heading."""
    body = "".join(
        (
            f"<h1>{escape(name)}</h1><p>{escape(title(report))}</p>",
            _headline(report),
            section("Quality, with 95% intervals", _quality(report)),
            section("Quality and its price", _price_plot(report)),
            section("By group", _groups(report)),
            section("Settings chosen on validation", _settings(report)),
            section("Protocol", _protocol(report)),
        )
    )
    return page(name, body)


def page(name: str, body: str) -> str:
    """Return a whole page with the house's colours, light and dark; it needs nothing else."""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(name)}</title><style>{_STYLE}</style></head><body>{body}</body></html>\n"
    )


def section(heading: str, content: str) -> str:
    """Return a part of a page under a heading; nothing where there is no content."""
    return f"<section><h2>{escape(heading)}</h2>{content}</section>" if content else ""


def _ordered(report: EvaluationReport, metric: str) -> list[ModelReport]:
    return sorted(report.models, key=lambda model: -_number(model.metrics[metric].value))


def _headline(report: EvaluationReport) -> str:
    names = list(report.models[0].metrics)
    ordered = _ordered(report, names[0])
    best = {name: max(_number(model.metrics[name].value) for model in ordered) for name in names}
    rows = [
        [
            (model.name, False),
            *((_text(model.metrics[name].value), model.metrics[name].value == best[name]) for name in names),
            *((cell, False) for cell in (*_gap(model), *price(model))),
        ]
        for model in ordered
    ]
    reference = next((model.paired.reference for model in ordered if model.paired), "default")
    heads = ["model", *names, f"{reference} better by", "95% interval", "p50 ms", "p99 ms", "fit s", "peak MB"]
    return table(heads, rows) + f"<p>{escape(caption(report))} Memory is that of the whole process.</p>"


def _gap(model: ModelReport) -> tuple[str, str]:
    gap = model.paired
    if gap is None:
        return "", ""
    times = f" ({(gap.ratio - 1) * 100:+.1f}%)" if math.isfinite(gap.ratio) else ""
    return f"{gap.difference:+.4f}{times}", f"{gap.low:+.4f} to {gap.high:+.4f}"


def _quality(report: EvaluationReport) -> str:
    return "".join(
        figure(bars(_bars(report, name, main_group(report)), title=name), name) for name in report.models[0].metrics
    )


def _groups(report: EvaluationReport) -> str:
    metric, groups = next(iter(report.models[0].metrics)), report.models[0].groups
    return "".join(
        figure(bars(_bars(report, metric, group), title=f"{metric}, {group}"), f"{metric}, {group} (n = {part.n:,})")
        for group, part in groups.items()
    )


def _bars(report: EvaluationReport, metric: str, group: str) -> list[Bar]:
    out = []
    for model in _ordered(report, metric):
        value = model.groups[group].metrics[metric]
        out.append(Bar(model.name, value.value, value.low, value.high, own=model.name.startswith("default")))
    return out


def _price_plot(report: EvaluationReport) -> str:
    metric = next(iter(report.models[0].metrics))
    dots = [
        Dot(model.name, model.latency_ms.p50, model.metrics[metric].value, own=model.name.startswith("default"))
        for model in report.models
    ]
    return figure(scatter(dots, title="price", x_name="milliseconds for an answer (p50, log)", y_name=metric), "")


def _settings(report: EvaluationReport) -> str:
    rows = [
        [(model.name, False), (fold, False), (json.dumps(settings, ensure_ascii=False), False)]
        for model in report.models
        for fold, settings in model.settings.items()
    ]
    return table(["model", "fold", "settings"], rows)


def _protocol(report: EvaluationReport) -> str:
    return f"<pre>{escape(json.dumps(report.protocol, indent=2, ensure_ascii=False))}</pre>"


def table(heads: Iterable[str], rows: Sequence[Sequence[tuple[str, bool]]]) -> str:
    """Return a table; a cell is a text, and whether it is the best of its column."""
    head = "".join(f"<th>{escape(name)}</th>" for name in heads)
    body = "".join(f"<tr>{''.join(_td(text, best=best) for text, best in row)}</tr>" for row in rows)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _td(text: str, *, best: bool) -> str:
    return f'<td class="best">{escape(text)}</td>' if best else f"<td>{escape(text)}</td>"


def figure(drawing: str, words: str) -> str:
    """Return a drawing with words under it; nothing where there is no drawing."""
    note = f"<figcaption>{escape(words)}</figcaption>" if words else ""
    return f"<figure>{note}{drawing}</figure>" if drawing else ""


def _text(value: float) -> str:
    return f"{value:.4f}" if math.isfinite(value) else "no one"


def _number(value: float) -> float:
    return -math.inf if math.isnan(value) else value

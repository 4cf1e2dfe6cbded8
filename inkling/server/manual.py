"""The API's description as one page of HTML: no script, nothing from elsewhere."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Any


def render_manual(document: Mapping[str, Any]) -> str:
    """Return an OpenAPI document as a page: each call with its parameters, its body's fields and its answer's."""
    groups: dict[str, list[str]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            groups.setdefault(operation["tags"][0], []).append(_call(document, path, method, operation))
    info = document["info"]
    purpose = info["description"].replace("`", "")
    style = files("inkling.server").joinpath("manual.css").read_text(encoding="utf-8")
    sections = "".join(f"<h2>{html.escape(tag)}</h2>{''.join(calls)}" for tag, calls in groups.items())
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{html.escape(info["title"])} API</title>'
        f'<meta name="viewport" content="width=device-width"><style>{style}</style></head><body>'
        f"<h1>{html.escape(info['title'])} {html.escape(info['version'])}</h1><p>{html.escape(purpose)}</p>"
        f'<p><a href="openapi.json">openapi.json</a> · <a href="console/">console</a></p>{sections}</body></html>'
    )


def _call(document: Mapping[str, Any], path: str, method: str, operation: Mapping[str, Any]) -> str:
    rows = [(part["name"], part["in"], part["schema"]) for part in operation["parameters"]]
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    rows += [(name, "body", schema) for name, schema in _properties(document, body).items()]
    status, success = next(iter(operation["responses"].items()))
    answer = success.get("content", {}).get("application/json", {}).get("schema")
    fields = ", ".join(_properties(document, answer)) or success["description"]
    return (
        f"<details><summary><b>{method.upper()}</b><code>{html.escape(path)}</code>"
        f"<span>{html.escape(operation['summary'])}</span></summary>{_table(rows)}"
        f"<p>Answer {status}: <code>{html.escape(fields)}</code></p></details>"
    )


def _table(rows: list[tuple[str, str, Mapping[str, Any]]]) -> str:
    lines = "".join(
        f"<tr><td><code>{html.escape(name)}</code></td><td>{place}</td><td><code>{html.escape(_type(schema))}</code>"
        f"</td><td>{html.escape(_note(schema))}</td></tr>"
        for name, place, schema in rows
    )
    return f"<table>{lines}</table>" if lines else ""


def _properties(document: Mapping[str, Any], schema: Mapping[str, Any] | None) -> dict[str, Any]:
    if not schema:
        return {}
    name = schema.get("$ref", "").rpartition("/")[2]
    target = document["components"]["schemas"].get(name, schema)
    properties: dict[str, Any] = target.get("properties", {})
    return properties


def _type(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    if "anyOf" in schema:
        return " | ".join(_type(part) for part in schema["anyOf"])
    if schema.get("type") == "array":
        return f"[{_type(schema.get('items', {}))}]" if schema.get("items") else "[]"
    return str(schema.get("type", "any"))


def _note(schema: Mapping[str, Any]) -> str:
    default = f"default {json.dumps(schema['default'])}" if schema.get("default") is not None else ""
    return "; ".join(filter(None, [schema.get("description", ""), default]))

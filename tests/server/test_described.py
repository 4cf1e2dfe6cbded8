"""OpenAPI is true: what the document allows is answered as the document says, for every call, on the real engine."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import inkling
from inkling.server.openapi import describe
from inkling.server.routes import ENDPOINTS

DOCUMENT = json.loads(json.dumps(describe(ENDPOINTS)))
PARTS = DOCUMENT["components"]["schemas"]
CALLS = [
    (method, path)
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
    if any(
        "application/json" in answer.get("content", {})
        for status, answer in operation["responses"].items()
        if status.startswith("2")
    )
]
IDS = st.sampled_from(["1", "2", "ann", "bob"]) | st.text(
    st.characters(exclude_categories=["Cs"]), min_size=1, max_size=5
)
CALM = settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))


def values(schema, depth=0):
    """Return what fits a schema of the document: the part of JSON Schema that it uses."""
    if "$ref" in schema:
        return values(PARTS[schema["$ref"].rpartition("/")[2]], depth)
    if "anyOf" in schema:
        return st.one_of([values(one, depth) for one in schema["anyOf"]])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    kind = schema.get("type")
    if kind is None:
        return st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3)
    if kind == "object":
        return objects(schema, depth)
    if kind == "array":
        most = min(schema.get("maxItems", 3), 3)
        return st.lists(values(schema.get("items", {}), depth + 1), min_size=schema.get("minItems", 0), max_size=most)
    if kind in ("integer", "number"):
        low, high = int(schema.get("minimum", -(10**12))), int(schema.get("maximum", 10**12))
        low, high = max(low, -(2**63)), min(high, 2**63 - 1)
        whole = st.integers(low, high) | st.integers(max(low, 0), max(min(high, 20), low))
        return (
            whole
            if kind == "integer"
            else whole | st.floats(-1e6, 1e6, allow_nan=False).filter(lambda value: low <= value <= high)
        )
    return {
        "boolean": st.booleans(),
        "null": st.none(),
        "string": texts(schema),
    }[kind]


def texts(schema):
    most = min(schema.get("maxLength", 8), 8)
    free = st.text(st.characters(exclude_categories=["Cs"]), min_size=schema.get("minLength", 0), max_size=most)
    return free | st.sampled_from(["1", "ann"])


def objects(schema, depth):
    known, rest = schema.get("properties", {}), schema.get("additionalProperties", False)
    needed = {name: values(known[name], depth + 1) for name in schema.get("required", ())}
    free = {name: values(part, depth + 1) for name, part in known.items() if name not in needed}
    made = st.fixed_dictionaries(needed, optional=free)
    if not rest or depth > 3:
        return made
    more = st.dictionaries(st.text(max_size=4), values(rest if isinstance(rest, dict) else {}, depth + 1), max_size=2)
    return st.tuples(more, made).map(lambda both: {**both[0], **both[1]})


def fits(value, schema):
    """Tell whether an answer is one that the document describes."""
    if "$ref" in schema:
        return fits(value, PARTS[schema["$ref"].rpartition("/")[2]])
    if "anyOf" in schema:
        return any(fits(value, one) for one in schema["anyOf"])
    kind = schema.get("type")
    if kind == "object":
        known, rest = schema.get("properties", {}), schema.get("additionalProperties", True)
        return (
            isinstance(value, dict)
            and all(name in value for name in schema.get("required", ()))
            and all(fits(part, known.get(name, rest if isinstance(rest, dict) else {})) for name, part in value.items())
        )
    if kind == "array":
        return isinstance(value, list) and all(fits(one, schema.get("items", {})) for one in value)
    types = {"string": str, "integer": int, "number": (int, float), "boolean": bool, "null": type(None)}
    return kind is None or (isinstance(value, types[kind]) and (kind == "boolean" or not isinstance(value, bool)))


@pytest.fixture(scope="module")
def wire():
    """Return a connection to a small shop, in this process: the socket is the matter of other tests."""
    from starlette.testclient import TestClient

    from inkling.server import create_app

    with inkling.open("memory://") as engine:
        engine.put_items([{"item_id": str(n), "title": f"mug {n}", "price": float(n)} for n in range(8)])
        engine.observe([{"user_id": "ann", "item_id": "1"}, {"user_id": "bob", "item_id": "2"}])
        with TestClient(create_app(engine), raise_server_exceptions=False) as client:
            yield client


@pytest.mark.parametrize(("method", "path"), CALLS, ids=lambda part: part)
@CALM
@given(data=st.data())
def test_what_is_described_is_answered_as_described(wire, method, path, data):
    operation = DOCUMENT["paths"][path][method]
    target = path
    for part in operation["parameters"]:
        if part["in"] == "path":
            target = target.replace(f"{{{part['name']}}}", quote(data.draw(IDS), safe="").replace(".", "%2E"))
    asked = {
        part["name"]: data.draw(values(part["schema"]))
        for part in operation["parameters"]
        if part["in"] == "query" and part["name"] != "wait" and (part["required"] or data.draw(st.booleans()))
    }
    body = operation.get("requestBody")
    sent = {} if body is None else {"json": data.draw(values(body["content"]["application/json"]["schema"]))}
    params = {name: str(value).lower() if isinstance(value, bool) else value for name, value in asked.items()}
    answer = wire.request(method, target, params=params, **sent)
    check(answer, operation)


def check(answer, operation):
    told = answer.json()
    if answer.status_code >= 500:
        assert told["error"]["code"] == "overloaded", told
    known = operation["responses"].get(str(answer.status_code), operation["responses"]["default"])
    assert answer.status_code >= 400 or str(answer.status_code) in operation["responses"]
    assert answer.headers["content-type"] == "application/json"
    assert fits(told, known["content"]["application/json"]["schema"]), told


def test_every_call_that_answers_json_is_asked():
    assert len(CALLS) == len([each for each in ENDPOINTS if each.answer is not None])

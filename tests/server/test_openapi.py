"""The description is well-formed, complete, and true: every answer fits what it says."""

from __future__ import annotations

import re

import pytest

from inkling.server.routes import ENDPOINTS

METHODS = {"get", "put", "post", "patch", "delete"}


@pytest.fixture
def document(client):
    return client.get("/openapi.json").json()


def fits(value, schema, document):
    """Tell whether a value fits a schema: the part of JSON Schema that the document uses."""
    if "$ref" in schema:
        return fits(value, document["components"]["schemas"][schema["$ref"].rpartition("/")[2]], document)
    if "anyOf" in schema:
        return any(fits(value, one, document) for one in schema["anyOf"])
    kind = schema.get("type")
    if kind == "object":
        known = schema.get("properties", {})
        rest = schema.get("additionalProperties", True)
        named = isinstance(value, dict) and all(name in value for name in schema.get("required", ()))
        return named and all(
            fits(part, known[name], document)
            if name in known
            else rest is True or (rest and fits(part, rest, document))
            for name, part in value.items()
        )
    if kind == "array":
        return isinstance(value, list) and all(fits(one, schema.get("items", {}), document) for one in value)
    types = {"string": str, "integer": int, "number": (int, float), "boolean": bool, "null": type(None)}
    return kind is None or (isinstance(value, types[kind]) and (kind == "boolean" or not isinstance(value, bool)))


def walk(node):
    """Yield every object in a document."""
    if isinstance(node, dict):
        yield node
    for part in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from walk(part)


def test_the_structure_is_openapi(document):
    assert document["openapi"] == "3.1.0"
    assert set(document) == {"openapi", "info", "paths", "components"}
    assert {"title", "version"} <= set(document["info"])
    names = []
    for path, methods in document["paths"].items():
        assert path.startswith("/")
        assert set(methods) <= METHODS
        for operation in methods.values():
            names.append(operation["operationId"])
            in_path = {part["name"] for part in operation["parameters"] if part["in"] == "path"}
            assert in_path == set(re.findall(r"{(\w+)}", path))
            assert all(set(part) == {"name", "in", "required", "schema"} for part in operation["parameters"])
            assert {"default"} < set(operation["responses"])
            assert all(re.fullmatch(r"\d{3}|default", status) for status in operation["responses"])
            assert all(answer["description"] for answer in operation["responses"].values())
    assert len(names) == len(set(names))


def test_every_reference_resolves(document):
    references = [node["$ref"] for node in walk(document) if "$ref" in node]
    assert references
    for reference in references:
        assert reference.removeprefix("#/components/schemas/") in document["components"]["schemas"]


def test_every_endpoint_is_described_and_nothing_else(document):
    described = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    assert described == {(endpoint.method, endpoint.path) for endpoint in ENDPOINTS}


CALLS = [
    ("post", "/v1/recommend", "/v1/recommend", {"user_id": "ann", "explain": True}),
    ("get", "/v1/users/{id}/recommendations", "/v1/users/ann/recommendations", None),
    ("post", "/v1/events", "/v1/events", {"events": [{"user_id": "ann", "item_id": "1"}, {}]}),
    ("post", "/v1/score", "/v1/score", {"user_id": "ann", "items": ["1"]}),
    ("post", "/v1/onboarding", "/v1/onboarding", {"answers": [0]}),
    ("get", "/v1/items/{id}/similar", "/v1/items/0/similar", None),
    ("get", "/v1/items/{id}", "/v1/items/0", None),
    ("put", "/v1/items/{id}", "/v1/items/0", {"title": "x"}),
    ("patch", "/v1/items/{id}", "/v1/items/0", {"title": "x"}),
    ("delete", "/v1/items/{id}", "/v1/items/0", None),
    ("get", "/v1/items", "/v1/items", None),
    ("post", "/v1/items", "/v1/items", {"items": []}),
    ("get", "/v1/users/{id}", "/v1/users/ann", None),
    ("put", "/v1/users/{id}", "/v1/users/ann", {"about": "x"}),
    ("patch", "/v1/users/{id}", "/v1/users/ann", {"about": "x"}),
    ("delete", "/v1/users/{id}", "/v1/users/ann", None),
    ("get", "/v1/users", "/v1/users", None),
    ("post", "/v1/users", "/v1/users", {"users": []}),
    ("post", "/v1/users/{id}/merge", "/v1/users/ann/merge", {"session_id": "s"}),
    ("get", "/v1/users/{id}/profile", "/v1/users/ann/profile", None),
    ("patch", "/v1/users/{id}/profile", "/v1/users/ann/profile", {"about": "x"}),
    ("get", "/v1/items/{id}/profile", "/v1/items/0/profile?language=zh", None),
    ("patch", "/v1/items/{id}/profile", "/v1/items/0/profile", {"summary": "x"}),
    ("get", "/v1/users/{id}/history", "/v1/users/ann/history", None),
    ("get", "/v1/users/{id}/explain/{item}", "/v1/users/ann/explain/0", None),
    ("get", "/healthz", "/healthz", None),
    ("get", "/readyz", "/readyz", None),
    ("get", "/v1/reading", "/v1/reading?wait=1", None),
    ("get", "/v1/about", "/v1/about", None),
]


@pytest.mark.parametrize(("method", "path", "target", "body"), CALLS)
def test_the_description_is_true(client, document, method, path, target, body):
    operation = document["paths"][path][method]
    answer = client.request(method, target, json=body)
    (status,) = set(operation["responses"]) - {"default"}
    assert str(answer.status_code) == status, answer.text
    schema = operation["responses"][status]["content"]["application/json"]["schema"]
    assert fits(answer.json(), schema, document)
    if body is not None and path != "/v1/events":
        assert fits(body, operation["requestBody"]["content"]["application/json"]["schema"], document)
    error = operation["responses"]["default"]["content"]["application/json"]["schema"]
    assert fits(client.get("/none").json(), error, document)


def test_every_json_call_is_in_the_list_above():
    with_json = {(each.method.lower(), each.path) for each in ENDPOINTS if each.answer is not None}
    assert with_json == {(method, path) for method, path, _, _ in CALLS}


def test_every_field_of_a_question_is_explained(document):
    properties = document["components"]["schemas"]["Ask"]["properties"]
    assert all(part["description"] for part in properties.values())


def test_the_checker_itself_can_say_no(document):
    assert not fits({"version": "1"}, {"$ref": "#/components/schemas/VersionOut"}, document)
    assert not fits({}, {"$ref": "#/components/schemas/VersionOut"}, document)
    assert not fits({"user_id": "a", "x": 1}, {"$ref": "#/components/schemas/Ask"}, document)


def test_the_manual_is_one_page_without_anything_from_elsewhere(client):
    page = client.get("/docs")
    assert "<script" not in page.text
    assert "src=" not in page.text
    assert "//" not in page.text.replace("http://www.w3.org", "")
    for endpoint in ENDPOINTS:
        assert endpoint.path in page.text
    assert "user_id" in page.text

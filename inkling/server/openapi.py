"""The OpenAPI description, generated from the endpoints and their types: what is checked is what is described."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import msgspec

import inkling
from inkling.server.endpoint import Endpoint
from inkling.server.errors import ErrorAnswer
from inkling.server.schemas import ASK_FIELDS

_REF = "#/components/schemas/{name}"
_DESCRIPTION = (
    "Language-model recommendations in real time. JSON in, JSON out; unknown fields are an error; every error has one "
    "shape. Where keys are configured, send `Authorization: Bearer KEY`."
)
_SUCCESS = {200: "The answer.", 202: "Taken, and durable."}


def describe(endpoints: Sequence[Endpoint]) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of these endpoints."""
    kinds = _kinds(endpoints)
    schemas, components = msgspec.json.schema_components(list(kinds.values()), ref_template=_REF)
    for name, meaning in ASK_FIELDS.items():
        components["Ask"]["properties"][name]["description"] = meaning
    components["Ask"]["properties"]["k"] |= {"minimum": 1, "maximum": 1000}
    schema_of = dict(zip(kinds, schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint, schema_of)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Inkling", "version": inkling.__version__, "description": _DESCRIPTION},
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
    }


def _kinds(endpoints: Sequence[Endpoint]) -> dict[str, Any]:
    """Return each type once, by its name: types such as ``dict[str, Any]`` have no better key."""
    used = [kind for each in endpoints for kind in (each.described or each.body, each.answer) if kind is not None]
    return {str(kind): kind for kind in (*used, ErrorAnswer)}


def _operation(endpoint: Endpoint, schema_of: dict[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": _name(endpoint),
        "summary": endpoint.summary,
        "tags": [_tag(endpoint.path)],
        "parameters": [*_path_parameters(endpoint.path), *_query_parameters(endpoint.query)],
        "responses": {
            **_success(endpoint, schema_of),
            "default": {"description": "The one error shape.", "content": _json(schema_of[str(ErrorAnswer)])},
        },
    }
    if endpoint.body is not None:
        operation["requestBody"] = {
            "required": True,
            "content": _json(schema_of[str(endpoint.described or endpoint.body)]),
        }
    if not endpoint.public:
        operation["security"] = [{}, {"key": []}]
    return operation


def _success(endpoint: Endpoint, schema_of: dict[str, Any]) -> dict[str, Any]:
    if endpoint.path in ("/", "/console"):
        return {"307": {"description": "Leads to the console."}}
    answer: dict[str, Any] = {"description": _SUCCESS[endpoint.status]}
    if endpoint.answer is not None:
        answer["content"] = _json(schema_of[str(endpoint.answer)])
    elif endpoint.media != "application/json":
        answer["content"] = {endpoint.media: {"schema": {"type": "string"}}}
    return {str(endpoint.status): answer}


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _name(endpoint: Endpoint) -> str:
    words = re.findall(r"[a-z]+", endpoint.path.removeprefix("/v1"))
    return "_".join([endpoint.method.lower(), *words, *(["page"] if endpoint.path == "/console/" else [])])


def _tag(path: str) -> str:
    parts = [part for part in path.split("/") if part and part != "v1"]
    return parts[0] if path.startswith("/v1") else "server"


def _path_parameters(path: str) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"{(\w+)}", path)
    ]


def _query_parameters(kind: Any) -> list[dict[str, Any]]:
    if kind is None:
        return []
    schema = next(iter(msgspec.json.schema_components([kind], ref_template=_REF)[1].values()))
    required = schema.get("required", [])
    return [
        {"name": name, "in": "query", "required": name in required, "schema": part}
        for name, part in schema["properties"].items()
    ]

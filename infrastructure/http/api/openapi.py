"""The OpenAPI description of every endpoint, made from the types that bodies are read with."""

from __future__ import annotations

from functools import cache
from http import HTTPStatus
from typing import Any

import msgspec

from .... import __version__
from .operations import ALWAYS, JSON, OF_A_HEAD, OPERATIONS, Operation, Parameter
from .protocols import PROTOCOLS
from .shapes import Error

PREFIXES = {"": "", "openai": "OpenAI", "anthropic": "Anthropic"}
FOREIGN_ERRORS = {  # of the protocols, whose clients know them
    "openai": {"type": "object", "required": ["error"], "properties": {"error": {"type": "object"}}},
    "anthropic": {"type": "object", "required": ["type", "error"], "properties": {"error": {"type": "object"}}},
}


@cache
def document() -> dict[str, Any]:
    """The description. Not to be changed."""
    described = (*OPERATIONS, *PROTOCOLS)
    schemas, components = _schemas(described)
    paths: dict[str, Any] = {}
    for one in described:
        paths.setdefault(one.path, {})[one.method] = _operation(one, schemas)
    bearer = {"type": "http", "scheme": "bearer", "description": "A key of `keys create`."}
    header = {
        "type": "apiKey",
        "in": "header",
        "name": "x-api-key",
        "description": "The same, as Anthropic's SDK has it.",
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Model Orchestrator",
            "version": __version__,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "paths": paths,
        "components": {"schemas": components, "securitySchemes": {"bearer": bearer, "header": header}},
    }


def _schemas(described: tuple[Operation, ...]) -> tuple[dict[type, Any], dict[str, Any]]:
    """The schema of each type, and the parts they refer to, under names that no two protocols share."""
    schemas: dict[type, Any] = {}
    components: dict[str, Any] = {}
    bodies: dict[str, list[type]] = {"": [Error]}
    for one in described:
        bodies[""] += [kind for kind in one.gives.values() if isinstance(kind, type)]
        if one.takes is not None:
            bodies.setdefault(one.protocol, []).append(one.takes)
    for protocol, kinds in bodies.items():
        prefix = PREFIXES[protocol]
        unique = list(dict.fromkeys(kinds))
        found, parts = msgspec.json.schema_components(unique, ref_template=f"#/components/schemas/{prefix}{{name}}")
        schemas |= dict(zip(unique, found, strict=True))
        components |= {f"{prefix}{name}": part for name, part in parts.items()}
    return schemas, components


def _operation(one: Operation, schemas: dict[type, Any]) -> dict[str, Any]:
    said: dict[str, Any] = {
        "operationId": one.id,
        "summary": one.says,
        "security": [] if one.scope is None else [{}, {"bearer": []}, {"header": []}],
        "responses": _responses(one, schemas),
    }
    if one.scope is not None:
        said["description"] = f"Needs the scope `{one.scope}` where keys exist; `admin` has every scope."
    if one.parameters:
        said["parameters"] = [_parameter(parameter) for parameter in one.parameters]
    if one.takes is not None:
        examples = {"example": {"value": one.example}}
        content = {JSON: {"schema": schemas[one.takes], "examples": examples}}
        said["requestBody"] = {"required": True, "content": content}
    return said


def _parameter(one: Parameter) -> dict[str, Any]:
    required = {"required": True} if one.place == "path" else {}
    return {"name": one.name, "in": one.place, "description": one.says, "schema": one.schema, **required}


def _responses(one: Operation, schemas: dict[type, Any]) -> dict[str, Any]:
    error = FOREIGN_ERRORS.get(one.protocol, schemas[Error])
    refusals = (*ALWAYS, *one.errors) if one.scope is not None else (400, 500)
    found = {status: {JSON: {"schema": error}} for status in (*refusals, 405)}
    for status, kind in one.gives.items():
        found[status] = {kind: {}} if isinstance(kind, str) else {JSON: {"schema": schemas[kind]}}
        if one.also is not None:
            found[status][one.also] = {}
    described = {
        str(status): {"description": HTTPStatus(status).phrase, "content": content}
        for status, content in sorted(found.items())
    }
    return described | {str(OF_A_HEAD): {"description": HTTPStatus(OF_A_HEAD).phrase}}

"""What a route of the API says of itself, and the OpenAPI document that is made of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from flask import Flask

from soapsvc import __version__
from soapsvc.web.api_schemas import SCHEMAS, Schema

View = TypeVar("View", bound=Callable[..., Any])
_ATTRIBUTE = "__described__"
_ARGUMENT = re.compile(r"<(?:\w+:)?(\w+)>")
PREFIX = "/api/v1"


@dataclass(frozen=True, slots=True)
class Parameter:
    """Of the query."""

    name: str
    schema: Schema
    description: str


@dataclass(frozen=True, slots=True)
class Described:
    """One operation.

    answer   JSON schema of a 200, or None: bytes of the media types; without media types there is no 200
    empty    what a 204 says; None: there is none
    body     a POST wants the JSON object {}
    errors   statuses that are answered with a problem
    """

    summary: str
    answer: Schema | None
    media: tuple[str, ...]
    parameters: tuple[Parameter, ...]
    errors: tuple[int, ...]
    etag: bool
    empty: str | None = None
    body: bool = True
    paths: dict[str, Schema] = field(default_factory=dict)


def described(
    summary: str,
    answer: Schema | None = None,
    *parameters: Parameter,
    media: tuple[str, ...] = ("application/json",),
    errors: tuple[int, ...] = (),
    etag: bool = False,
    empty: str | None = None,
    body: bool = True,
    **paths: Schema,
) -> Callable[[View], View]:
    """Put the description to a view. paths: schemas of the arguments in its path."""

    def put(view: View) -> View:
        setattr(view, _ATTRIBUTE, Described(summary, answer, media, parameters, errors, etag, empty, body, paths))
        return view

    return put


def openapi(app: Flask) -> dict[str, Any]:
    """The OpenAPI 3.1 document of every described route below /api/v1. A test holds that none is left out."""
    paths: dict[str, dict[str, Any]] = {}
    for rule in sorted(app.url_map.iter_rules(), key=lambda rule: rule.rule):
        told: Described | None = getattr(app.view_functions[rule.endpoint], _ATTRIBUTE, None)
        if told is None or not rule.rule.startswith(PREFIX):
            continue
        path = _ARGUMENT.sub(r"{\1}", rule.rule)
        for method in sorted((rule.methods or set()) & {"GET", "POST"}):
            paths.setdefault(path, {})[method.lower()] = _operation(rule.endpoint, told, rule.arguments, method)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "soapsvc",
            "version": __version__,
            "description": "The inbox of a SOAP 1.1 push receiver: what came in, what was wrong with it, and the bytes "
            "on the wire. What changes something is a POST: a program sends Content-Type: application/json and no "
            "cookies; a page sends its token in X-CSRF-Token.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "security": [{"basic": []}, {}],
        "paths": paths,
        "components": {
            "schemas": SCHEMAS,
            "securitySchemes": {
                "basic": {"type": "http", "scheme": "basic", "description": "wanted when admin_user is set"}
            },
            "responses": {
                "Problem": {
                    "description": "What went wrong (RFC 9457).",
                    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
                }
            },
        },
    }


def _operation(endpoint: str, told: Described, arguments: set[str], method: str) -> dict[str, Any]:
    schema: Schema = {"type": "string", "format": "binary"} if told.answer is None else told.answer
    answers: dict[str, Any] = {}
    if told.media:
        content = {media: {"schema": schema} if told.answer is not None else {} for media in told.media}
        answers["200"] = {"description": told.summary, "content": content}
    if told.empty is not None:
        answers["204"] = {"description": told.empty}
    if told.etag:
        answers["200"]["headers"] = {"ETag": {"schema": {"type": "string"}, "description": "sha256 of the bytes"}}
        answers["304"] = {"description": "If-None-Match names what it is still."}
    for status in sorted({*told.errors, 401, 503}):
        answers[str(status)] = {"$ref": "#/components/responses/Problem"}
    operation: dict[str, Any] = {
        "operationId": endpoint.rpartition(".")[2],
        "summary": told.summary,
        "parameters": [
            *({"name": name, "in": "path", "required": True, "schema": told.paths.get(name, {"type": "string"})}
              for name in sorted(arguments)),
            *({"name": one.name, "in": "query", "schema": one.schema, "description": one.description}
              for one in told.parameters),
        ],
        "responses": answers,
    }  # fmt: skip
    if method == "POST" and told.body:
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": {"type": "object", "maxProperties": 0}}},
        }
    return operation

"""The OpenAPI 3.1 document of every REST route, made from the route table and the models.

https://spec.openapis.org/oas/v3.1.0. Pure: the same code gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode
from pydantic_core import core_schema

from mim.contracts import answers, api
from mim.contracts.errors import ErrorCode, http_status
from mim.contracts.fields import UUID_PATTERN
from mim.contracts.routes import GATEWAY, PORT_ROUTES, PORTS, Route, Scope
from mim.contracts.schemas import REF, Json, Untitled, prose, schemas_of
from mim.contracts.states import Role

ABOUT = """\
JSON in and out, UTF-8; a body is read as JSON whatever its content type says. A success carries `"success": true`.
An error is `{"success": false, "error": "a sentence", "code": "UPPER_SNAKE", "request_id": "…"}`; `details` name the
fields that do not fit. Every POST may carry an `Idempotency-Key`: the same key and body happen once and give the same
answer.

Callers send an access token as `Authorization: Bearer …`. While no admin token is set the gateway listens on loopback
only, and whoever is on that machine may call it without one and do everything.

An instance has a port and an API key of its own. Its routes are shown here as they are reached through the gateway,
`/{port}/api/v1/…`; on the instance's own port they are the same without `/{port}`. By the instance's id they are at
`/i/{id}/api/v1/…` and, where that is not a route of the gateway itself, at `/api/v1/instances/{id}/…`: for instances
without a port (`"expose": "gateway"`), and for where several hosts have the same ports.
"""

# Name, description, beginnings of paths; the longest that fits counts.
TAGS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("instances", "Create, list, change, start and stop messenger accounts.", ("/api/v1/instances",)),
    (
        "login",
        "QR codes, pairing codes, and what is next for the login.",
        tuple(f"/api/v1/instances/{{id}}/{name}" for name in ("qr", "current-qr", "login", "pairing-code", "auth")),
    ),
    (
        "API keys",
        "The API key of an instance: show it, replace it.",
        tuple(f"/api/v1/instances/{{id}}/{name}" for name in ("api-key", "credentials", "current-api-key")),
    ),
    ("webhooks", "What goes to an instance's webhook: test, secret, deliveries.", ("/api/v1/instances/{id}/webhook",)),
    ("multi-provider", "The same for every messenger, by provider and id.", ("/api/v1/multi-provider",)),
    (
        "instance port",
        "One instance, by its API key. The same routes are on the instance's own port, without the prefix `/{port}`.",
        ("/{port}/",),
    ),
    ("events", "Every status and message event, live.", ("/api/v1/events", "/api/v1/ws")),
    ("access", "Access tokens, and who changed what.", ("/api/v1/tokens", "/api/v1/audit")),
    ("system", "Health, resources, metrics and the documents.", ("/",)),
)

PATH_PARAMETERS: dict[str, tuple[str, Json]] = {
    "id": ("Id of the instance.", {"type": "string", "format": "uuid", "pattern": UUID_PATTERN}),
    "provider": ("Provider of the instance.", {"$ref": REF + "Provider"}),
    "service": ("Name of the service.", {"type": "string", "pattern": "^[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?$"}),
    "message": ("Id of the message at the messenger.", {"type": "string", "minLength": 1, "maxLength": 128}),
    "chat": ("Id of the chat, as `chats` shows it.", {"type": "string", "minLength": 1, "maxLength": 128}),
    "group": ("Id of the group, as `groups` shows it.", {"type": "string", "minLength": 1, "maxLength": 128}),
    "bulk_id": ("Id of the bulk message.", {"type": "string", "pattern": "^[0-9a-f]{32}$"}),
    "delivery_id": ("Id of the delivery.", {"type": "string", "format": "uuid", "pattern": UUID_PATTERN}),
    "token_id": ("Id of the access token.", {"type": "string", "minLength": 1, "maxLength": 64}),
    "worker": ("Name of the worker, as `workers` shows it.", {"type": "string", "minLength": 1, "maxLength": 63}),
    "port": ("Port of the instance, as `port_api` shows it.", {"type": "integer", "minimum": 1, "maximum": 65_535}),
}

QUERY_PARAMETERS = {
    "user_id": "Only what belongs to this user.",
    "company_id": "Another name of `user_id`.",
    "provider": "Only instances of this provider.",
    "status": "Only what stands here.",
    "search": "Only what has this text in it: instances in id, name, user or account, chats and people in their name,"
    " messages in their text.",
    "limit": "How many at most.",
    "offset": "How many to leave out at the beginning.",
    "format": "JSON, a picture, or the code as text.",
    "tail": "How many of the newest lines.",
    "level": "Only lines that are at least so serious.",
    "follow": "Go on with new lines as Server-Sent Events.",
    "instance_id": "Only this instance.",
    "hours": "How far back.",
    "types": "Only events of these names, comma-separated, such as `qr_ready,message.sent`.",
    "last_event_id": "Begin after this event, as the header `Last-Event-ID` does; 0 begins with the oldest stored one.",
    "chatId": "Only messages of this chat.",
    "isGroup": "Only messages of groups, or only others.",
}

IDEMPOTENCY_KEY: Json = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "The same key and body happen once and give the same answer for 24 hours.",
    "schema": {"type": "string", "maxLength": 255, "pattern": "^[!-~](?:[ -~]*[!-~])?$"},
}
LAST_EVENT_ID: Json = {
    "name": "Last-Event-ID",
    "in": "header",
    "description": "Begin after this event; browsers send it by themselves when they connect again.",
    "schema": {"type": "integer", "minimum": 0, "maximum": 10**18 - 1},
}

HEADERS: dict[str, tuple[str, Json]] = {
    "X-Request-Id": ("Finds the request in the logs of all services.", {"type": "string"}),
    "Retry-After": ("Seconds after which to try again.", {"type": "integer", "minimum": 0}),
    "Allow": ("The methods that are possible here.", {"type": "string"}),
    "RateLimit": ("How many requests are left, and for how many seconds.", {"type": "string"}),
    "RateLimit-Policy": ("How many requests a caller may send in how many seconds.", {"type": "string"}),
    "Idempotent-Replayed": ("`true` where the answer is that of an earlier request with this key.", {"type": "string"}),
}

SECURITY: Json = {
    "accessToken": {
        "type": "http",
        "scheme": "bearer",
        "description": "The admin token, or an access token with a role: `viewer` reads, `operator` also starts, stops,"
        " logs in and sends, `admin` also creates, changes, deletes and sees credentials. One that is bound to a user"
        " sees the instances of that user only. On loopback without an admin token none is needed.",
    },
    "instanceKey": {"type": "http", "scheme": "bearer", "description": "The API key of the instance."},
}


class _Strict(Untitled):
    """An answer has all of its fields and no others, so what is read from it need not be checked for."""

    def field_is_required(self, field: Any, total: bool) -> bool:
        """In answers always."""
        return self.mode == "serialization" or super().field_is_required(field, total)

    def model_schema(self, schema: core_schema.ModelSchema) -> Json:
        """In answers closed. An error has its further fields only where they matter."""
        found = super().model_schema(schema)
        if self.mode == "serialization":
            found["additionalProperties"] = False
        if schema["cls"] is answers.ErrorAnswer:
            found["required"] = ["success", "error", "code", "request_id"]
        return found


def document(version: str) -> Json:
    """The document; `version` is that of the gateway."""
    routes = [(route.path, route) for route in GATEWAY] + [(f"/{{port}}{route.path}", route) for route in PORTS]
    references, schemas = schemas_of(_models(), _Strict)
    errors = _Errors()
    paths: dict[str, Json] = {}
    for path, route in routes:
        paths.setdefault(path, {})[route.method.lower()] = _Operation(path, route, references, schemas, errors).shown()
    queries = {model.__name__ for model, _ in references if issubclass(model, api.Query)}
    return {
        "openapi": "3.1.0",
        "info": {"title": "mim", "summary": "Messenger instance manager", "version": version, "description": ABOUT},
        "servers": [{"url": "/", "description": "The gateway that serves this document."}],
        "tags": [{"name": name, "description": text} for name, text, _ in TAGS],
        "paths": paths,
        "components": {
            "schemas": {name: schema for name, schema in schemas.items() if name not in queries},
            "responses": dict(sorted(errors.responses.items())),
            "headers": {name: {"description": text, "schema": schema} for name, (text, schema) in HEADERS.items()},
            "securitySchemes": SECURITY,
        },
    }


def _models() -> Iterator[tuple[type[BaseModel], JsonSchemaMode]]:
    yield answers.ErrorAnswer, "serialization"
    for route in (*GATEWAY, *PORTS):
        for model in (route.body, route.query):
            if model is not None:
                yield model, "validation"
        for _, answer in _all_answers(route):
            if isinstance(answer, type):
                yield answer, "serialization"


def _all_answers(route: Route) -> Iterator[tuple[int, Any]]:
    """Status and model or content type, one by one; a status without a body has None."""
    for status, found in sorted(route.answers.items()):
        for answer in found if isinstance(found, tuple) else (found,):
            yield status, answer


class _Operation:
    """One route as an operation object."""

    def __init__(self, path: str, route: Route, references: Any, schemas: dict[str, Json], errors: _Errors) -> None:
        self._errors = errors
        self._path = path
        self._route = route
        self._references = references
        self._schemas = schemas
        self._is_port = path.startswith("/{port}/")

    def shown(self) -> Json:
        """The operation object."""
        route = self._route
        found: Json = {
            "operationId": route.operation,
            "tags": [_tag(self._path)],
            "summary": route.summary,
            "description": self._description(),
            "security": self._security(),
            "x-scope": str(route.scope),
        }
        if route.scope in (Scope.TENANT, Scope.SYSTEM):
            found["x-role"] = str(route.role)
        if parameters := list(self._parameters()):
            found["parameters"] = parameters
        if route.body is not None:
            body = self._references[route.body, "validation"]
            needed = bool(self._schemas[route.body.__name__].get("required"))
            found["requestBody"] = {"required": needed, "content": {"application/json": {"schema": body}}}
        if route.file:
            content = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
            found["requestBody"] = {"required": True, "content": content}
        return found | {"responses": self._responses()}

    def _description(self) -> str:
        route = self._route
        models = [answer for _, answer in _all_answers(route) if isinstance(answer, type)]
        told = [prose(models[0])] if models else []
        told += {
            Scope.OPEN: ["Needs no credentials."],
            Scope.TENANT: [f"Needs the role `{route.role}`. A token that is bound to a user reaches only its own."],
            Scope.SYSTEM: [f"Needs the role `{route.role}` for the whole system: a token bound to a user is refused."],
            Scope.KEY: ["Needs the API key of the instance; the gateway also takes a token that may see it."],
        }[route.scope]
        told += ["The API key of the instance is enough, too."] if route.key_opens else []
        told += ["Who does it is recorded."] if route.audited else []
        if self._is_port and (only := self._only_provider()):
            told.append(f"Instances of {only} have it.")
        return " ".join(told)

    def _only_provider(self) -> str | None:
        known = [
            name for name, table in PORT_ROUTES.items() if self._route.operation in {each.operation for each in table}
        ]
        return str(known[0]) if len(known) == 1 else None

    def _security(self) -> list[Json]:
        route = self._route
        if route.scope is Scope.OPEN:
            return []
        if route.scope is Scope.KEY:
            needed = Role.VIEWER if route.method == "GET" else Role.OPERATOR
            return [{"instanceKey": []}, {"accessToken": [str(needed)]}]
        anonymous: Json = {}  # on loopback
        return [{"accessToken": [str(route.role)]}, *([{"instanceKey": []}] if route.key_opens else []), anonymous]

    # ------------------------------------------------------------------------------------------- parameters

    def _parameters(self) -> Iterator[Json]:
        for part in self._path.split("/"):
            if part.startswith("{"):
                name = part.strip("{}")
                text, schema = PATH_PARAMETERS[name]
                yield {"name": name, "in": "path", "required": True, "description": text, "schema": schema}
        if self._route.query is not None:
            yield from self._query(self._schemas[self._route.query.__name__])
        if self._route.method == "POST":
            yield IDEMPOTENCY_KEY
        if any(answer == "text/event-stream" for _, answer in _all_answers(self._route)):
            yield LAST_EVENT_ID

    @staticmethod
    def _query(model: Json) -> Iterator[Json]:
        for name, schema in model["properties"].items():
            told = [QUERY_PARAMETERS[name], schema.get("description", "")]
            found = {"name": name, "in": "query", "description": " ".join(filter(None, told)), "schema": _text(schema)}
            yield found | ({"required": True} if name in model.get("required", ()) else {})

    # -------------------------------------------------------------------------------------------- responses

    def _responses(self) -> Json:
        found: dict[int, Json] = {}
        for status, answer in _all_answers(self._route):
            told = found.setdefault(status, {"description": ""} | self._headers(status))
            if isinstance(answer, type):
                told["description"] = told["description"] or prose(answer)
                told.setdefault("content", {})["application/json"] = {
                    "schema": self._references[answer, "serialization"]
                }
            elif answer is not None:
                told.setdefault("content", {})[answer] = _MEDIA.get(answer, {"schema": {"type": "string"}})
            told["description"] = told["description"] or _PHRASES.get(status, self._route.summary)
        for status, codes in _by_status(self._codes()).items():
            found[status] = _either(found[status], codes) if status in found else self._errors.reference(status, codes)
        return {str(status): told for status, told in sorted(found.items())}

    def _codes(self) -> tuple[ErrorCode, ...]:
        return (*self._route.codes, *(_ON_THE_WAY if self._is_port else ()))

    def _headers(self, status: int) -> Json:
        route = self._route
        names = ["X-Request-Id"] if route.method != "GET" else []
        names += ["Idempotent-Replayed"] if route.method == "POST" else []
        names += ["RateLimit", "RateLimit-Policy"] if route.scope is not Scope.OPEN and status >= 200 else []
        return _headers(*names)


# What the gateway may say before a request reaches the port; a route of the other provider is none of this port.
_ON_THE_WAY = (
    *(ErrorCode.NOT_FOUND, ErrorCode.ROUTE_NOT_FOUND, ErrorCode.UNAUTHORIZED, ErrorCode.FORBIDDEN),
    *(ErrorCode.TOO_MANY_REQUESTS, ErrorCode.NO_WORKER, ErrorCode.BUS_UNAVAILABLE, ErrorCode.TIMEOUT),
)


class _Errors:
    """Error answers that many routes share."""

    def __init__(self) -> None:
        self.responses: dict[str, Json] = {}
        self._names: dict[tuple[int, tuple[str, ...]], str] = {}

    def reference(self, status: int, codes: tuple[str, ...]) -> Json:
        """The error answer with this status that has one of these codes."""
        name = self._names.get((status, codes))
        if name is None:
            number = 1 + sum(known == status for known, _ in self._names)
            name = self._names[status, codes] = f"Error{status}" + (f"-{number}" if number > 1 else "")
            headers = ["X-Request-Id", *_OF_ERRORS.get(status, ())]
            self.responses[name] = {
                "description": _words(codes),
                **_headers(*headers),
                "content": {"application/json": {"schema": _error(codes)}},
            }
        return {"$ref": f"#/components/responses/{name}"}


_OF_ERRORS = {
    405: ("Allow",),
    429: ("Retry-After", "RateLimit", "RateLimit-Policy"),
    503: ("Retry-After",),
    504: ("Retry-After",),
}
_PHRASES = {101: "The connection is a WebSocket from now on."}
_MEDIA: dict[str, Json] = {"application/json": {"schema": {"type": "object"}}, "image/png": {}}


def _text(schema: Json) -> Json:
    """The schema of a query parameter: it is given or left out, never null."""
    found = {key: value for key, value in schema.items() if key != "description"}
    if "default" in found and found["default"] is None:
        del found["default"]
    choices = [choice for choice in found.pop("anyOf", []) if choice != {"type": "null"}]
    return found | (choices[0] if len(choices) == 1 else {"anyOf": choices} if choices else {})


def _tag(path: str) -> str:
    return max((len(start), name) for name, _, starts in TAGS for start in starts if path.startswith(start))[1]


def _headers(*names: str) -> Json:
    found = {name: {"$ref": f"#/components/headers/{name}"} for name in names}
    return {"headers": found} if found else {}


def _by_status(codes: tuple[ErrorCode, ...]) -> dict[int, tuple[str, ...]]:
    found: dict[int, tuple[str, ...]] = {}
    for code in sorted(set(codes)):
        status = http_status(code)
        found[status] = (*found.get(status, ()), str(code))
    return found


def _words(codes: tuple[str, ...]) -> str:
    return ", ".join(f"`{code}`" for code in codes)


def _error(codes: tuple[str, ...]) -> Json:
    return {"allOf": [{"$ref": REF + "ErrorAnswer"}, {"properties": {"code": {"enum": list(codes)}}}]}


def _either(told: Json, codes: tuple[str, ...]) -> Json:
    """An answer that is a success in one case and an error in another."""
    content = told.get("content", {})
    there = content.get("application/json")
    schema = {"anyOf": [there["schema"], _error(codes)]} if there else _error(codes)
    return told | {
        "description": f"{told['description']} Or an error: {_words(codes)}.",
        "content": content | {"application/json": {"schema": schema}},
    }

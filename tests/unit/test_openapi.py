"""The OpenAPI document says what the route table and the models say."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pytest
from jsonschema_rs import Draft202012Validator

from mim.contracts import openapi
from mim.contracts.answers import ErrorAnswer
from mim.contracts.errors import http_status
from mim.contracts.fields import UUID_PATTERN
from mim.contracts.routes import GATEWAY, PORTS, Route, Scope
from mim.contracts.schemas import REF, references, resolve

Json = dict[str, Any]

DOCUMENT: Json = json.loads(json.dumps(openapi.document("0")))
PLACES = [(route.path, route) for route in GATEWAY] + [("/{port}" + route.path, route) for route in PORTS]
OPERATIONS = {operation["operationId"]: operation for item in DOCUMENT["paths"].values() for operation in item.values()}
each_route = pytest.mark.parametrize(("path", "route"), PLACES, ids=[route.operation for _, route in PLACES])


def operation_of(path: str, route: Route) -> Json:
    return dict(DOCUMENT["paths"][path][route.method.lower()])


def response(operation: Json, status: int) -> Json:
    found = operation["responses"][str(status)]
    return dict(resolve(DOCUMENT, found["$ref"]) if "$ref" in found else found)


def validator(schema: Json) -> Draft202012Validator:
    return _validator(json.dumps(schema))


@cache
def _validator(schema: str) -> Draft202012Validator:
    whole = json.loads(schema) | {"components": DOCUMENT["components"]}
    return Draft202012Validator(whole, validate_formats=True)


def parameters(operation_id: str) -> dict[str, Json]:
    return {each["name"]: each for each in OPERATIONS[operation_id].get("parameters", ())}


@each_route
def test_every_route_is_an_operation_with_all_its_statuses(path: str, route: Route) -> None:
    operation = operation_of(path, route)
    assert operation["operationId"] == route.operation
    assert operation["summary"] == route.summary
    more = {401, 403, 404, 429, 503, 504} if path.startswith("/{port}") else set()
    wanted = {*route.answers, *(http_status(code) for code in route.codes)} | more
    assert set(operation["responses"]) == {str(status) for status in wanted}


@each_route
def test_every_error_status_names_the_codes_that_it_can_have(path: str, route: Route) -> None:
    operation = operation_of(path, route)
    for code in route.codes:
        found = response(operation, http_status(code))
        assert f"`{code}`" in found["description"]
        error = {"success": False, "error": "x", "code": str(code), "request_id": "r"}
        schema = found["content"]["application/json"]["schema"]
        assert validator(schema).is_valid(error)
        assert not validator(schema).is_valid(error | {"code": "OTHER_POLLER"})


def test_nothing_else_is_in_the_document() -> None:
    assert len(OPERATIONS) == len(PLACES)
    assert sum(len(item) for item in DOCUMENT["paths"].values()) == len(PLACES)
    tags = [tag["name"] for tag in DOCUMENT["tags"]]
    assert {tag for operation in OPERATIONS.values() for tag in operation["tags"]} == set(tags)


@each_route
def test_credentials_are_those_of_the_scope(path: str, route: Route) -> None:
    operation = operation_of(path, route)
    schemes = [name for choice in operation["security"] for name in choice or ("anonymous",)]
    if route.scope is Scope.OPEN:
        assert operation["security"] == []
    elif route.scope is Scope.KEY:
        assert schemes == ["instanceKey", "accessToken"]
        assert operation["security"][1]["accessToken"] == ["viewer" if route.method == "GET" else "operator"]
    else:
        assert schemes[0] == "accessToken"
        assert schemes[-1] == "anonymous"
        assert ("instanceKey" in schemes) == route.key_opens
        assert operation["x-role"] == route.role
        assert operation["security"][0]["accessToken"] == [route.role]
    assert operation["x-scope"] == route.scope


def test_every_post_may_carry_an_idempotency_key() -> None:
    for path, item in DOCUMENT["paths"].items():
        for method, operation in item.items():
            assert ("Idempotency-Key" in parameters(operation["operationId"])) == (method == "post"), path


def test_streams_resume_and_say_their_content_type() -> None:
    for name in ("events", "logs"):
        assert "Last-Event-ID" in parameters(name)
        assert "text/event-stream" in OPERATIONS[name]["responses"]["200"]["content"]
    assert set(OPERATIONS["logs"]["responses"]["200"]["content"]) == {"application/json", "text/event-stream"}
    assert "content" not in OPERATIONS["websocket"]["responses"]["101"]


def test_pictures_and_texts_of_a_qr_code() -> None:
    content = OPERATIONS["qr"]["responses"]["200"]["content"]
    assert set(content) == {"application/json", "image/png", "image/svg+xml", "text/plain"}


def test_every_parameter_is_described_and_none_can_be_null() -> None:
    found = [each for operation in OPERATIONS.values() for each in operation.get("parameters", ())]
    assert len(found) > 50
    for each in found:
        assert each["description"], each
        assert "null" not in json.dumps(each["schema"]), each


def test_a_parameter_has_the_limits_of_its_model() -> None:
    limit = parameters("list")["limit"]
    assert limit["schema"] == {"default": 100, "maximum": 5000, "minimum": 1, "type": "integer"}
    assert "required" not in limit
    assert parameters("get")["id"] == {
        "name": "id",
        "in": "path",
        "required": True,
        "description": "Id of the instance.",
        "schema": {"type": "string", "format": "uuid", "pattern": UUID_PATTERN},
    }
    assert parameters("port_stored")["chatId"]["description"].endswith("Also accepted as `chat_id`.")


def test_queries_are_parameters_and_no_schemas() -> None:
    assert not [name for name in DOCUMENT["components"]["schemas"] if name.endswith("Query")]


def test_an_answer_is_closed_and_whole() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    for name in ("Instance", "Reason", "Webhook", "PortHealth"):
        assert schemas[name]["additionalProperties"] is False
        assert set(schemas[name]["required"]) == set(schemas[name]["properties"])
    assert "success" in schemas["InstanceAnswer"]["required"]


def test_a_body_is_open_and_needs_only_what_has_no_default() -> None:
    body = DOCUMENT["components"]["schemas"]["CreateInstanceBody"]
    assert "additionalProperties" not in body
    assert body["required"] == ["user_id", "provider", "type_instance"]
    assert "`company_id`" in body["properties"]["user_id"]["description"]
    assert OPERATIONS["create"]["requestBody"]["required"] is True
    assert OPERATIONS["login"]["requestBody"]["required"] is False


def test_an_error_has_four_fields_and_more_where_they_matter() -> None:
    error = DOCUMENT["components"]["schemas"]["ErrorAnswer"]
    assert error["required"] == ["success", "error", "code", "request_id"]
    assert set(error["properties"]) == set(ErrorAnswer.model_fields)


def test_an_unhealthy_answer_is_no_error_and_both_are_told_apart() -> None:
    schema = OPERATIONS["health"]["responses"]["503"]["content"]["application/json"]["schema"]
    assert schema == {"$ref": REF + "Health"}


def test_waiting_is_told_where_it_helps() -> None:
    for status in (429, 503, 504):
        assert "Retry-After" in response(OPERATIONS["create"], status)["headers"]
    assert "Allow" in response(OPERATIONS["create"], 405)["headers"]
    assert {"RateLimit", "RateLimit-Policy"} <= set(OPERATIONS["list"]["responses"]["200"]["headers"])
    assert "headers" not in OPERATIONS["health"]["responses"]["200"]


def test_routes_of_one_provider_say_so() -> None:
    assert "Instances of telegram have it." in OPERATIONS["telegram_send"]["description"]
    assert "Instances of whatsappweb have it." in OPERATIONS["whatsapp_send"]["description"]
    assert "Instances of" not in OPERATIONS["port_status"]["description"]
    assert "ROUTE_NOT_FOUND" in response(OPERATIONS["telegram_send"], 404)["description"]


def test_references_stay_inside_of_the_document() -> None:
    assert all(reference.startswith("#/components/") for reference in references(DOCUMENT))

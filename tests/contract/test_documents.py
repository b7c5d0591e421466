"""The OpenAPI and AsyncAPI documents: valid by the official metaschemas, whole, and as they were agreed.

To accept a change that you mean to make:

    MIM_UPDATE_SNAPSHOTS=1 ./mim test tests/contract
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from schemathesis.specs.openapi.definitions import OPENAPI_31

from mim.contracts import asyncapi, openapi
from mim.contracts.schemas import REF, references, resolve

Json = dict[str, Any]

HERE = Path(__file__).parent
UPDATE = os.environ.get("MIM_UPDATE_SNAPSHOTS") == "1"
ACCEPT = "MIM_UPDATE_SNAPSHOTS=1 ./mim test tests/contract"

MAKERS: dict[str, Callable[[str], Json]] = {"openapi": openapi.document, "asyncapi": asyncapi.document}
METASCHEMAS = {
    "openapi": OPENAPI_31,
    "asyncapi": json.loads((HERE / "metaschemas" / "asyncapi-3.0.0.json").read_text()),
}
both = pytest.mark.parametrize("kind", MAKERS)


def made(kind: str) -> Json:
    """The document as a client parses it."""
    return dict(json.loads(json.dumps(MAKERS[kind]("0"))))


def problems(kind: str, document: Json) -> list[str]:
    metaschema = jsonschema_rs.validator_for(METASCHEMAS[kind])
    return [f"{list(error.instance_path)}: {error.message[:200]}" for error in metaschema.iter_errors(document)]


@both
def test_a_document_is_as_it_was_agreed(kind: str) -> None:
    path = HERE / "documents" / f"{kind}.json"
    present = made(kind)
    if UPDATE:
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(present, indent=1, ensure_ascii=False) + "\n")
    agreed = json.loads(path.read_text()) if path.exists() else None
    assert present == agreed, f"the {kind} document changed; if that is meant: {ACCEPT}"


@both
def test_a_document_is_the_same_each_time(kind: str) -> None:
    assert json.dumps(MAKERS[kind]("1")) == json.dumps(MAKERS[kind]("1"))
    assert MAKERS[kind]("1.2.3")["info"]["version"] == "1.2.3"


@both
def test_a_document_is_valid_by_the_official_metaschema(kind: str) -> None:
    assert problems(kind, made(kind)) == []


SPOILS: list[tuple[str, Callable[[Json], object]]] = [
    ("openapi", lambda doc: doc.pop("info")),
    ("openapi", lambda doc: doc["paths"]["/health"]["get"]["responses"]["200"].pop("description")),
    ("openapi", lambda doc: doc["paths"]["/api/v1/instances"]["get"]["parameters"][0].pop("in")),
    ("openapi", lambda doc: doc["components"]["securitySchemes"]["accessToken"].pop("scheme")),
    ("asyncapi", lambda doc: doc.pop("info")),
    ("asyncapi", lambda doc: doc["operations"]["create"].update(action="publish")),
    ("asyncapi", lambda doc: doc["channels"]["start"].update(adress="x")),
    ("asyncapi", lambda doc: doc["servers"]["nats"].pop("protocol")),
]


@pytest.mark.parametrize(("kind", "spoil"), SPOILS)
def test_the_metaschema_tells_what_is_broken(kind: str, spoil: Callable[[Json], object]) -> None:
    document = made(kind)
    spoil(document)
    assert problems(kind, document)


@both
def test_every_reference_leads_somewhere_and_every_component_is_used(kind: str) -> None:
    document = made(kind)
    found = set(references(document))
    for reference in found:
        assert isinstance(resolve(document, reference), dict), reference
    there = {
        f"#/components/{part}/{name}" for part in ("schemas", "messages", "responses", "headers")
        for name in document["components"].get(part, {})
    }  # fmt: skip
    assert there - found == set()


@both
def test_every_schema_is_a_json_schema(kind: str) -> None:
    document = made(kind)
    for name, schema in document["components"]["schemas"].items():
        assert jsonschema_rs.meta.is_valid(schema | {"$schema": "https://json-schema.org/draft/2020-12/schema"}), name
        jsonschema_rs.Draft202012Validator({"$ref": REF + name, "components": document["components"]})


def test_schemas_of_messages_are_understood_by_tools_that_know_draft_07_only() -> None:
    # https://www.asyncapi.com/docs/reference/specification/v3.0.0#schemaObject
    text = json.dumps(made("asyncapi")["components"])
    assert not re.search(r'"(?:prefixItems|\$defs|unevaluated\w+|dependentRequired|dependentSchemas)"', text)


def test_parameters_of_an_address_are_those_that_are_described() -> None:
    for name, channel in made("asyncapi")["channels"].items():
        in_address = set(re.findall(r"\{(\w+)\}", channel["address"] or ""))
        assert in_address == set(channel.get("parameters", {})), name


def test_parameters_of_a_path_are_those_that_are_described() -> None:
    for path, item in made("openapi")["paths"].items():
        for method, operation in item.items():
            described = [each["name"] for each in operation.get("parameters", ()) if each["in"] == "path"]
            assert described == re.findall(r"\{(\w+)\}", path), (method, path)


def secrets_of(schema: Any, inside: bool = False) -> Iterator[Json]:
    """The schemas of all texts that are named like secrets."""
    if isinstance(schema, dict):
        for name, item in schema.items():
            is_secret = inside and name in ("token", "proxy", "bot_token")
            if is_secret:
                yield item
            yield from secrets_of(item, inside=name == "properties")
    elif isinstance(schema, list):
        for item in schema:
            yield from secrets_of(item)


def test_secrets_of_bodies_can_only_be_written() -> None:
    document = made("openapi")
    bodies = {
        operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].removeprefix(REF)
        for item in document["paths"].values()
        for operation in item.values()
        if "application/json" in operation.get("requestBody", {}).get("content", {})
    } | {"ProviderConfig"}
    found = [item for name in bodies for item in secrets_of(document["components"]["schemas"][name])]
    assert len(found) >= 6
    for item in found:
        secret = next(choice for choice in item["anyOf"] if choice["type"] == "string")
        assert (secret["writeOnly"], secret["format"]) == (True, "password")

"""The documents as pages: whole, harmless, and with examples that are true."""

from __future__ import annotations

import base64
import copy
import hashlib
import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from jsonschema_rs import Draft202012Validator

from mim.contracts import asyncapi, openapi
from mim.gateway.docs_page import CONTENT_SECURITY_POLICY, example, page

Json = dict[str, Any]
OPENAPI: Json = json.loads(json.dumps(openapi.document("0")))
ASYNCAPI: Json = json.loads(json.dumps(asyncapi.document("0")))
both = pytest.mark.parametrize("document", [OPENAPI, ASYNCAPI], ids=["openapi", "asyncapi"])
VOID = {"meta", "wbr"}


class Page(HTMLParser):
    """The elements of a page; complains about one that is not closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def all(self, tag: str, attribute: str) -> list[str]:
        return [given[attribute] for name, given in self.elements if name == tag and attribute in given]


@both
def test_a_page_needs_no_script_and_nothing_from_elsewhere(document: Json) -> None:
    shown = Page(page(document))
    assert not {"script", "img", "iframe", "link", "object", "form"} & {tag for tag, _ in shown.elements}
    for _, attributes in shown.elements:
        assert not {"src", "style", "srcset"} & attributes.keys()
        assert not [name for name in attributes if name.startswith("on")]
    assert all(target.startswith(("#", "/")) for target in shown.all("a", "href"))
    assert "@import" not in page(document)
    assert "url(" not in page(document)


def test_the_policy_allows_the_style_of_the_page_and_nothing_else() -> None:
    style = re.findall(r"<style>(.*?)</style>", page(OPENAPI), re.DOTALL)
    assert len(style) == 1
    digest = base64.b64encode(hashlib.sha256(style[0].encode()).digest()).decode()
    assert f"'sha256-{digest}'" in CONTENT_SECURITY_POLICY
    assert CONTENT_SECURITY_POLICY.startswith("default-src 'none';")
    assert "unsafe" not in CONTENT_SECURITY_POLICY


@both
def test_every_operation_is_in_the_contents_and_has_its_place(document: Json) -> None:
    shown = Page(page(document))
    targets = {target for target in shown.all("a", "href") if target.startswith("#op-")}
    places = ["#" + key for key in shown.all("h3", "id")]
    assert targets == set(places)
    assert len(places) == len(targets)
    number = (
        sum(len(item) for item in document["paths"].values()) if "paths" in document else len(document["operations"])
    )
    assert len(places) == number


@both
def test_whatever_the_document_says_is_only_text(document: Json) -> None:
    evil = "<script>alert(1)</script>\"'><b onclick=x>"

    def poison(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return {name: poison(item, name) for name, item in value.items()}
        if isinstance(value, list):
            return [poison(item, key) for item in value]
        return evil if key in ("description", "summary", "title", "location") else value

    broken = poison(copy.deepcopy(document))
    names = [tag for tag, _ in Page(page(broken)).elements]
    assert "script" not in names
    assert "b" not in names
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page(broken)


def test_an_operation_tells_how_to_call_it() -> None:
    texts = Page(page(OPENAPI)).texts
    calls = [text for text in texts if text.startswith("curl ")]
    assert len(calls) == sum(len(item) for item in OPENAPI["paths"].values())
    create = next(text for text in calls if "-X POST" in text and "/api/v1/instances'" in text)
    assert "-H 'Authorization: Bearer <token>'" in create
    body = json.loads(create.partition("-d '")[2].rstrip("'"))
    assert body == {"user_id": "test", "provider": "whatsappweb", "type_instance": ["api"]}
    assert not [text for text in calls if "{" in text.partition("http")[2].partition("'")[0]]
    joined = "".join(texts)
    assert "access token: admin" in joined
    assert "API key of the instance" in joined
    assert "IDEMPOTENCY_CONFLICT" in joined


def schemas() -> list[tuple[str, Json, Json]]:
    found = [("openapi", OPENAPI, schema) for schema in OPENAPI["components"]["schemas"].values()]
    found += [("asyncapi", ASYNCAPI, schema) for schema in ASYNCAPI["components"]["schemas"].values()]
    return [(f"{kind}.{schema.get('title', number)}", document, schema)
            for number, (kind, document, schema) in enumerate(found)]  # fmt: skip


@pytest.mark.parametrize(("document", "schema"), [each[1:] for each in schemas()], ids=[each[0] for each in schemas()])
def test_an_example_fits_its_schema(document: Json, schema: Json) -> None:
    made = example(document, schema)
    wanted = Draft202012Validator(schema | {"components": document["components"]}, validate_formats=True)
    assert [error.message for error in wanted.iter_errors(made)] == []
    assert json.dumps(made) == json.dumps(example(document, schema))

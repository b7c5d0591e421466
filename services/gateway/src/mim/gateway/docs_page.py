"""An OpenAPI or AsyncAPI document as one HTML page that needs nothing else: no script, no other file, no network."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from mim.contracts.schemas import resolve

Json = dict[str, Any]
DEEPEST = 8


@dataclass(frozen=True, slots=True)
class Block:
    """A body or an answer: what it is called, what it means, its schema and content type."""

    title: str
    text: str
    schema: Json | None = None
    media: str = ""
    headers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """One operation of either kind of document."""

    key: str
    tag: str
    word: str
    place: str
    title: str
    text: str
    facts: tuple[str, ...]
    parameters: tuple[Json, ...]
    blocks: tuple[Block, ...]
    sample: str


def page(document: Json) -> str:
    """The page. Everything that comes from the document is escaped."""
    made = list(_rest(document) if "openapi" in document else _bus(document))
    about = document["info"]
    tags = document.get("tags") or about.get("tags", [])
    title = f"{about['title']} {about['version']}"
    sections = "".join(_section(document, tag, [entry for entry in made if entry.tag == tag["name"]]) for tag in tags)
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta name="color-scheme" content="light dark"><style>{STYLE}</style></head><body>'
        '<a class="skip" href="#content">To the content</a>'
        f'<header><h1>{escape(title)}</h1><p><a href="/docs">REST</a> <a href="/docs/events">Bus</a> '
        '<a href="/openapi.json">openapi.json</a> <a href="/asyncapi.json">asyncapi.json</a></p></header>'
        f'<div class="columns"><nav aria-label="Operations">{_contents(tags, made)}</nav>'
        f'<main id="content">{_text(about.get("description", ""))}{sections}</main></div></body></html>'
    )


# ------------------------------------------------------------------------------------------ what is shown


def _rest(document: Json) -> Iterator[Entry]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            parameters = tuple(operation.get("parameters", ()))
            body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
            needed = "" if body is None else "Required." if operation["requestBody"].get("required") else "Optional."
            blocks = [Block("Body", needed, body, "application/json")] if body else []
            blocks += list(_responses(document, operation["responses"]))
            yield Entry(
                key=operation["operationId"],
                tag=operation["tags"][0],
                word=method.upper(),
                place=path,
                title=operation["summary"],
                text=operation.get("description", ""),
                facts=tuple(_credentials(operation)),
                parameters=parameters,
                blocks=tuple(blocks),
                sample=_curl(document, method.upper(), path, operation, body),
            )


def _credentials(operation: Json) -> Iterator[str]:
    if not operation["security"]:
        yield "no credentials"
    for choice in operation["security"]:
        for scheme, roles in choice.items():
            yield f"{_SCHEMES.get(scheme, scheme)}{': ' + ', '.join(roles) if roles else ''}"
    if {} in operation["security"]:
        yield "nothing on loopback without an admin token"


_SCHEMES = {"accessToken": "access token", "instanceKey": "API key of the instance"}


def _responses(document: Json, responses: Json) -> Iterator[Block]:
    for status, told in responses.items():
        found = resolve(document, told["$ref"]) if "$ref" in told else told
        headers = tuple(found.get("headers", {}))
        contents = found.get("content", {})
        if not contents or "$ref" in told:  # errors have one shape; their codes are in the description
            yield Block(status, found["description"], None, "", headers)
            continue
        for media, content in contents.items():
            yield Block(status, found["description"], content.get("schema"), media, headers)


def _curl(document: Json, method: str, path: str, operation: Json, body: Json | None) -> str:
    given = {each["name"]: _plain(example(document, each["schema"])) for each in operation.get("parameters", ())}
    for name in re.findall(r"\{(\w+)\}", path):
        path = path.replace("{" + name + "}", given[name])
    needed = [each for each in operation.get("parameters", ()) if each["in"] == "query" and each.get("required")]
    query = "?" + urlencode({each["name"]: given[each["name"]] for each in needed}) if needed else ""
    lines = [f"curl {'' if method == 'GET' else f'-X {method} '}'http://127.0.0.1:3000{path}{query}'"]
    if operation["security"]:
        lines.append("-H 'Authorization: Bearer <token>'")
    if body is not None:
        text = json.dumps(_least(document, body), ensure_ascii=False).replace("'", "'\\''")
        lines.append(f"-d '{text}'")
    return " \\\n  ".join(lines)


def _bus(document: Json) -> Iterator[Entry]:
    for key, operation in document["operations"].items():
        channel = resolve(document, operation["channel"]["$ref"])
        message = resolve(document, operation["messages"][0]["$ref"])
        stream = channel.get("x-stream", {})
        kept = [f"{'stream' if name == 'name' else name}: {value}" for name, value in stream.items()]
        parameters = [
            {
                "name": name,
                "in": "subject",
                "required": True,
                "description": each["description"],
                "schema": {"type": "string", "pattern": each.get("x-pattern", ""), "enum": each.get("enum", [])},
            }
            for name, each in channel.get("parameters", {}).items()
        ]
        blocks = [Block("Message", "", message.get("payload"), message.get("contentType", ""))]
        if "headers" in message:
            blocks.insert(0, Block("Headers", "All may be left out.", message["headers"]))
        yield Entry(
            key=key,
            tag=operation["tags"][0]["name"],
            word="publish" if operation["action"] == "receive" else "subscribe",
            place=channel["address"],
            title=operation["title"],
            text="",
            facts=(*kept, *(["internal"] if operation.get("x-internal") else ())),
            parameters=tuple(parameters),
            blocks=(*blocks, *_reply(document, operation)),
            sample="",
        )


def _reply(document: Json, operation: Json) -> Iterator[Block]:
    if "reply" in operation:
        told = operation["reply"].get("address", {})
        where = f"To {told['location']}. {told['description']}" if told else "To the reply subject of the request."
        for reference in operation["reply"]["messages"]:
            message = resolve(document, resolve(document, reference["$ref"])["$ref"])
            yield Block("Reply", where, message["payload"], message.get("contentType", "application/json"))


# -------------------------------------------------------------------------------------------------- HTML


def _contents(tags: Iterable[Json], entries: list[Entry]) -> str:
    found = []
    for tag in tags:
        links = "".join(
            f'<li><a href="#{_slug(entry.key)}">{escape(entry.title[:60])}</a></li>'
            for entry in entries
            if entry.tag == tag["name"]
        )
        found.append(f"<details><summary>{escape(tag['name'])}</summary><ul>{links}</ul></details>")
    return "".join(found)


def _section(document: Json, tag: Json, entries: list[Entry]) -> str:
    shown = "".join(_entry(document, entry) for entry in entries)
    return f"<section><h2>{escape(tag['name'])}</h2>{_text(tag.get('description', ''))}{shown}</section>"


def _entry(document: Json, entry: Entry) -> str:
    facts = "".join(f"<li>{escape(fact)}</li>" for fact in entry.facts)
    rows = "".join(_parameter(document, each) for each in entry.parameters)
    parts = [
        f'<h3 id="{_slug(entry.key)}">{_inline(entry.title)}</h3>{_text(entry.text)}',
        f'<ul class="facts">{facts}</ul>' if facts else "",
        f'<h4>Parameters</h4><ul class="tree">{rows}</ul>' if rows else "",
        f'<h4>Call</h4><pre tabindex="0">{escape(entry.sample)}</pre>' if entry.sample else "",
        *(_block(document, block) for block in entry.blocks),
    ]
    return (
        f'<details class="operation"><summary><span class="word">{escape(entry.word)}</span>'
        f"<code>{_breakable(entry.place)}</code> <span>{_inline(entry.title)}</span></summary>"
        f"<div>{''.join(parts)}</div></details>"
    )


def _parameter(document: Json, told: Json) -> str:
    needed = "" if told.get("required") else ", optional"
    kind = f'<span class="type">{escape(_kind(document, told["schema"]))}, in {escape(told["in"])}{needed}</span>'
    return f"<li><code>{escape(told['name'])}</code> {kind}{_note(told.get('description', ''))}</li>"


def _block(document: Json, block: Block) -> str:
    media = f' <span class="type">{escape(block.media)}</span>' if block.media else ""
    headers = f'<p class="note">Headers: {escape(", ".join(block.headers))}</p>' if block.headers else ""
    head = f"<h4>{escape(block.title)}{media}</h4>{_text(block.text)}{headers}"
    if block.schema is None or block.media.startswith(("text/", "image/")):
        return head
    made = escape(json.dumps(example(document, block.schema), indent=2, ensure_ascii=False))
    shown = _tree(document, block.schema) + f'<pre tabindex="0" aria-label="Example">{made}</pre>'
    return f"{head}<details><summary>Fields and example</summary>{shown}</details>"


def _tree(document: Json, schema: Json, above: tuple[str, ...] = ()) -> str:
    """The fields of an object, with what is inside of them."""
    found, names = _object(document, schema)
    if found is None or len(above) > DEEPEST or (names and names[-1] in above):
        return ""
    needed = set(found.get("required", ()))
    rows = []
    for name, field in found["properties"].items():
        text = field.get("description") or _plain_description(document, field)
        extra = "" if name in needed else ", optional"
        inside = _tree(document, field, (*above, *names))
        kind = f'<span class="type">{escape(_kind(document, field))}{extra}</span>'
        rows.append(f"<li><code>{escape(name)}</code> {kind}{_note(text)}{inside}</li>")
    return f'<ul class="tree">{"".join(rows)}</ul>'


def _plain_description(document: Json, field: Json) -> str:
    target = _target(document, field)
    return str(target.get("description", "")) if "enum" in target else ""


def _note(text: str) -> str:
    return f' <span class="note">{_inline(text)}</span>' if text else ""


def _text(text: str) -> str:
    return "".join(f"<p>{_inline(part)}</p>" for part in text.split("\n\n") if part.strip())


def _inline(text: str) -> str:
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))


def _breakable(place: str) -> str:
    return re.sub(r"([/.])", r"\1<wbr>", escape(place))


def _slug(key: str) -> str:
    return escape("op-" + re.sub(r"[^\w-]", "-", key))


# ----------------------------------------------------------------------------------------------- schemas


def _target(document: Json, schema: Json) -> Json:
    """What a schema is about: behind references, and without null."""
    for _ in range(DEEPEST):
        if "$ref" in schema:
            schema = resolve(document, schema["$ref"]) | {key: value for key, value in schema.items() if key != "$ref"}
            continue
        choices = [each for each in schema.get("anyOf", ()) if each != {"type": "null"}]
        if not choices:
            break
        schema = choices[0]
    return schema


def _object(document: Json, schema: Json) -> tuple[Json | None, tuple[str, ...]]:
    """The object in a schema, also in a list or a map, and the names on the way to it."""
    names: tuple[str, ...] = ()
    for _ in range(DEEPEST):
        choices = [each for each in schema.get("anyOf", ()) if each != {"type": "null"}]
        if "$ref" in schema:
            names = (*names, schema["$ref"])
            schema = resolve(document, schema["$ref"])
        elif choices:
            schema = choices[0]
        elif "items" in schema:
            schema = schema["items"]
        elif isinstance(schema.get("additionalProperties"), Mapping):
            schema = schema["additionalProperties"]
        else:
            break
    return (schema if "properties" in schema else None), names


def _kind(document: Json, schema: Json) -> str:
    """A type in words, with its limits."""
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_kind(document, each) for each in schema["anyOf"]))
    target = _target(document, schema)
    if "const" in target:
        return json.dumps(target["const"])
    if target.get("enum"):
        return " | ".join(map(str, target["enum"]))
    if "items" in target:
        return f"list of {_kind(document, target['items'])}"
    if isinstance(target.get("additionalProperties"), Mapping):
        return f"map to {_kind(document, target['additionalProperties'])}"
    limits = [f"{word} {target[name]}" for name, word in _LIMITS.items() if target.get(name)]
    return " ".join([target.get("format") or target.get("type", "any"), *limits])


_LIMITS = {"minimum": "≥", "maximum": "≤", "minLength": "min length", "maxLength": "max length", "pattern": "like"}
_FORMATS = {"date-time": "2026-11-24T12:00:00.000Z", "password": "…", "uuid": "5f0c1d3e-0000-4000-8000-000000000042"}
_WORDS = {
    "user_id": "test", "to": "134527512", "chatId": "134527512", "number": "15550002222", "message": "Hello",
    "mediaUrl": "https://example.com/picture.png", "source": "https://example.com/picture.png", "url":
    "https://example.com/hook", "phone_number": "15550002222", "port": 3001, "service": "lifecycle",
    "Mim-Reply-To": "mim.reply.mine", "bulk_id": "0123456789abcdef0123456789abcdef",
    "token": "123456789:AAEabcdefghijklmnopqrstuvwxyz012345",
}  # fmt: skip


def example(document: Json, schema: Json, name: str = "", above: tuple[str, ...] = ()) -> Any:
    """A value that fits a schema, the same each time."""
    reference = schema.get("$ref", "")
    target = _target(document, schema)
    if len(above) > DEEPEST or (reference and reference in above):
        return None
    above = (*above, reference)
    given = (*target.get("examples", ())[:1], *target.get("enum", ())[:1], target.get("const"), target.get("default"))
    if any(value is not None for value in given):
        return next(value for value in given if value is not None)
    if "allOf" in target:
        parts = [example(document, each, name, above) for each in target["allOf"]]
        return {key: value for part in parts if isinstance(part, dict) for key, value in part.items()}
    match target.get("type"):
        case "object" | None:
            fields = target.get("properties", {})
            return {key: example(document, each, key, above) for key, each in fields.items()}
        case "array" if "prefixItems" in target:
            return [example(document, each, name, above) for each in target["prefixItems"]]
        case "array":
            one = [example(document, target["items"], name, above)] if "items" in target else []
            return one * max(1, target.get("minItems", 1))
        case "integer" | "number":
            return _WORDS.get(name, target.get("minimum", 0))
        case "boolean":
            return True
    is_id = "-[0-9a-f]{4}-" in target.get("pattern", "") or name in ("id", "instance_id")
    return _WORDS.get(name, _FORMATS["uuid"] if is_id else _FORMATS.get(target.get("format", ""), "…"))


def _least(document: Json, schema: Json) -> Any:
    """An example with only what must be there."""
    target = _target(document, schema)
    if target.get("examples"):
        return example(document, schema)
    needed = target.get("required") or list(target.get("properties", {}))[:1]
    return {name: value for name, value in example(document, schema).items() if name in needed}


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


STYLE = Path(__file__).with_suffix(".css").read_text()
_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
_NOTHING = "; ".join(f"{name} 'none'" for name in ("default-src", "base-uri", "form-action", "frame-ancestors"))
CONTENT_SECURITY_POLICY = f"{_NOTHING}; style-src 'sha256-{_HASH}'"
"""The header under which the page works: its own style and nothing else."""

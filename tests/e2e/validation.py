"""Everything that a test sees of a system is checked against the OpenAPI and AsyncAPI documents.

An answer with an undocumented status, content type or field, and a message on an undocumented subject, fails the test
that saw it. Validators are compiled when first needed and kept.
"""

from __future__ import annotations

import base64
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from jsonschema_rs import Draft202012Validator
from nats.aio.client import Client
from nats.aio.msg import Msg

from mim.contracts import asyncapi, openapi
from mim.contracts.schemas import REF

Json = dict[str, Any]
DRAFT = "https://json-schema.org/draft/2020-12/schema"
# What the streams take anyway, and outcomes. Listening on `>` would change the system: its consumers and requests tell
# by interest in a subject whether anybody is there. Requests come from witness.py.
HEARD = ("mim.cmd.>", "mim.evt.>", "mim.log.>", "mim.dlq.>", "mim.reply.>", "$KV.>")
PENDING_BYTES = 16_000_000


class Violations:
    """What was seen and is not documented; the first ones, and how many."""

    def __init__(self, most: int = 50) -> None:
        self._most = most
        self._found: dict[str, int] = {}

    def add(self, problem: str) -> None:
        """Note one."""
        if problem in self._found or len(self._found) < self._most:
            self._found[problem] = self._found.get(problem, 0) + 1

    def take(self) -> list[str]:
        """All that were noted since the last time."""
        found, self._found = self._found, {}
        return [f"{problem} ({number} times)" if number > 1 else problem for problem, number in found.items()]


class Documented:
    """Validators of schemas of one document."""

    def __init__(self, document: Json) -> None:
        self._components = {"components": document["components"]}
        self._compiled: dict[str, Draft202012Validator] = {}

    def problems(self, key: str, schema: Json, value: Any) -> list[str]:
        """What of a value does not fit; `key` names the schema."""
        validator = self._compiled.get(key)
        if validator is None:
            whole = {"$schema": DRAFT, **schema, **self._components}
            validator = self._compiled[key] = Draft202012Validator(whole, validate_formats=True)
        if validator.is_valid(value):
            return []
        return [f"{'.'.join(map(str, error.instance_path)) or 'body'}: {error.message[:300]}"
                for error in validator.iter_errors(value)][:5]  # fmt: skip


# Chat ids and the like are numbers in the JSON of messengers; callers send them either way.
IDS = ("user_id", "to", "chatId", "number", "phone_number")


def stripped(value: Any, texts: tuple[str, ...] = ()) -> Any:
    """A value with no space around its texts; numbers with a name of `texts` are texts."""
    if isinstance(value, dict):
        return {
            name: str(item) if name in texts and type(item) is int else stripped(item, texts)
            for name, item in value.items()
        }
    if isinstance(value, list):
        return [stripped(item, texts) for item in value]
    return value.strip() if isinstance(value, str) else value


class Rest:
    """Answers of the gateway and of instances' ports."""

    def __init__(self) -> None:
        document = json.loads(json.dumps(openapi.document("0")))
        self._documented = Documented(document)
        self._responses = document["components"]["responses"]
        found = [
            (path, re.compile(re.sub(r"\{\w+\}", "[^/]+", path)), item) for path, item in document["paths"].items()
        ]
        self._paths = sorted(found, key=lambda each: each[0].count("{"))
        self._bodies = {
            operation["operationId"]: operation["requestBody"]["content"]["application/json"]["schema"]
            for item in document["paths"].values()
            for operation in item.values()
            if "application/json" in operation.get("requestBody", {}).get("content", {})
        }

    def takes(self, operation: str, body: Any) -> bool:
        """Whether a body fits the schema of an operation, or would, were its texts stripped and its ids texts."""
        if operation not in self._bodies:
            return True  # a file may be anything
        schema, name = self._bodies[operation], f"{operation} body"
        forms = (body, stripped(body), stripped(body, IDS))
        try:
            return any(not self._documented.problems(name, schema, form) for form in forms)
        except ValueError:  # it is no JSON at all
            return False

    def problems(self, method: str, path: str, status: int, content_type: str, body: bytes) -> list[str]:
        """What of an answer is not documented. `path` is as it was sent; a port's begins with `/{port}`."""
        path = path.partition("?")[0]
        template, item = self._item(path)
        operation = item.get(method.lower())
        if operation is None:
            found = self._refusal(status, 405 if item else 404, body)
        else:
            found = self._answer(operation, status, content_type.partition(";")[0].strip().lower(), body)
        return [f"{method} {template or path} answered {status}: {problem}" for problem in found]

    def _item(self, path: str) -> tuple[str, Json]:
        for template, pattern, item in self._paths:
            if pattern.fullmatch(path):
                return template, item
        return "", {}

    def _refusal(self, status: int, wanted: int, body: bytes) -> list[str]:
        # Hosts, origins and sizes are checked before the route.
        found = [] if status in (wanted, 403, 413, 401) else [f"it is no route, so {wanted} was expected"]
        return found + self._fits("error", {"$ref": REF + "ErrorAnswer"}, body)

    def _answer(self, operation: Json, status: int, media: str, body: bytes) -> list[str]:
        told = operation["responses"].get(str(status))
        if told is None:
            return [f"the status is not documented: {body[:300]!r}"]
        name = told["$ref"].rpartition("/")[2] if "$ref" in told else f"{operation['operationId']} {status}"
        contents = self._responses[name]["content"] if "$ref" in told else told.get("content", {})
        if not contents and not body:
            return []
        if media not in contents:
            return [f"the content type {media!r} is not documented"]
        if media != "application/json":
            return []
        return self._fits(name, contents[media]["schema"], body)

    def _fits(self, name: str, schema: Json, body: bytes) -> list[str]:
        try:
            value = json.loads(body)
        except ValueError:
            return [f"the body is no JSON: {body[:100]!r}"]
        return self._documented.problems(name, schema, value)


class Bus:
    """Messages of the bus. A field that is not documented is a violation, though consumers have to bear it."""

    def __init__(self) -> None:
        document = json.loads(json.dumps(asyncapi.document("0")))
        for schema in document["components"]["schemas"].values():
            if "properties" in schema:
                schema["additionalProperties"] = False
        self._documented = Documented(document)
        self._replies = {name: document["components"]["messages"][self._reply(operation)]["payload"]
                         for name, operation in document["operations"].items() if "reply" in operation}  # fmt: skip
        self._parked: Counter[str] = Counter()
        self.seen: Counter[str] = Counter()
        """How many messages there were, by channel."""
        self._channels: dict[int, list[tuple[str, list[Any], Json]]] = {}
        self._known: set[str] = set()
        for name, channel in document["channels"].items():
            if channel["address"] is not None:
                tokens = [self._token(channel, part) for part in channel["address"].split(".")]
                self._channels.setdefault(len(tokens), []).append((name, tokens, channel["messages"]["message"]))
                self._known.add(name)

    @staticmethod
    def _reply(operation: Json) -> str:
        return str(operation["reply"]["messages"][0]["$ref"]).rpartition("/")[2]

    @staticmethod
    def _token(channel: Json, part: str) -> Any:
        if not part.startswith("{"):
            return part
        return re.compile(channel["parameters"][part.strip("{}")]["x-pattern"])

    def problems(self, subject: str, headers: Mapping[str, str], payload: bytes) -> list[str]:
        """What of a message is not documented."""
        if "KV-Operation" in headers or "Nats-Marker-Reason" in headers:
            return []
        found = self._problems(subject, payload)
        if subject.startswith("mim.dlq.") and not found:
            self._parked[json.loads(payload)["subject"]] -= 1
        if subject.startswith("mim.cmd.") and found and asyncapi.CORRELATION not in headers:
            self._parked[subject] += 1  # a test's own, wrong on purpose
            return []
        return found

    def unparked(self) -> list[str]:
        """Subjects of commands that fitted no document and became no dead letter."""
        return [f"{subject} got an undocumented command, and no dead letter" for subject in +self._parked]

    def answers(self, witness: Path) -> Iterator[str]:
        """What of the requests and answers in the file of witness.py is not documented."""
        if not witness.exists():
            return
        for line in witness.read_text().splitlines():
            subject, asked, answer = json.loads(line)
            yield from self._problems(subject, base64.b64decode(asked))
            found = self._channel(subject)
            if found is not None and self._replies[found[0]].get("type") != "string":
                yield from self._fits(subject, f"{found[0]} answer", self._replies[found[0]], base64.b64decode(answer))

    def _problems(self, subject: str, payload: bytes) -> list[str]:
        if subject.startswith("mim.reply."):
            return self._fits(subject, "Outcome", {"$ref": REF + "Outcome"}, payload)
        found = self._channel(subject)
        if found is None:
            return [f"{subject} is on no documented channel: {payload[:200]!r}"]
        name, message = found
        if "payload" not in message and not payload:
            return []
        if message["contentType"] != "application/json":
            return []
        return self._fits(subject, name, message.get("payload", {"const": "nothing"}), payload or b"{}")

    def event(self, name: str, envelope: Any) -> list[str]:
        """What of an event, as the gateway shows it, is not documented."""
        channel = name if "." in name else f"instance.{name}"
        if channel not in self._known:
            return [f"the event {name!r} is not documented"]
        (message,) = [each[2] for channels in self._channels.values() for each in channels if each[0] == channel]
        return [
            f"event {name}: {problem}" for problem in self._documented.problems(channel, message["payload"], envelope)
        ]

    def _channel(self, subject: str) -> tuple[str, Json] | None:
        given = subject.split(".")
        for name, tokens, message in self._channels.get(len(given), ()):
            if all(
                part == want if isinstance(want, str) else want.search(part)
                for want, part in zip(tokens, given, strict=True)
            ):
                return name, message
        return None

    def _fits(self, subject: str, name: str, schema: Json, payload: bytes) -> list[str]:
        self.seen[name] += 1
        try:
            value = json.loads(payload)
        except ValueError:
            return [f"{subject}: no JSON: {payload[:100]!r}"]
        return [f"{subject}: {problem}" for problem in self._documented.problems(name, schema, value)]


VIOLATIONS = Violations()
REST = Rest()
BUS = Bus()


async def listen(client: Client) -> None:
    """Check every message that a connection may hear without changing what happens, from now on."""

    async def check(msg: Msg) -> None:
        for problem in BUS.problems(msg.subject, msg.headers or {}, msg.data):
            VIOLATIONS.add(problem)

    for subject in HEARD:
        await client.subscribe(subject, cb=check, pending_bytes_limit=PENDING_BYTES)
    await client.flush()

"""Calls every operation of the OpenAPI document with data that fits and data that does not.

Runs in processes of its own: making the data takes longer than answering. What exists in the system is put in place of
made-up ids in every second call; what a call may change or delete is an instance that was made for that.
"""

from __future__ import annotations

import json
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from random import Random
from typing import Any, Self
from uuid import UUID

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings
from hypothesis.errors import Flaky, Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.core.parameters import ParameterLocation
from schemathesis.core.result import Ok
from tests.e2e.validation import REST

from mim.contracts import openapi

Json = dict[str, Any]
AnyCase = Case[Any]
ROUND = 40
MOST_FAILURES = 20
ANSWER_S = 40.0
BROKEN = (500, 503, 504)
LONGEST_LINE = 8_000
SPARE = 4
# Refused by the guard, without a name, and no answer of this kind.
URLS = ("http://10.0.0.1/picture.png", "https://nowhere.invalid/picture.png", "https://127.0.0.1/picture.png")
TOKEN = "8{:08d}:AAEabcdefghijklmnopqrstuvwxyz0123456"


@dataclass(frozen=True, slots=True)
class World:
    """What exists: `instances` have `instance_id`, `port`, `api_key` and `provider`, and are left as they are."""

    url: str
    instances: tuple[Json, ...]
    services: tuple[str, ...]
    chats: tuple[str, ...]


@dataclass(slots=True)
class Report:
    """What came of it."""

    calls: int = 0
    statuses: Counter[tuple[str, int]] = field(default_factory=Counter)
    seconds: dict[str, float] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)

    def add(self, other: Report) -> None:
        """Take in what came of another round."""
        self.calls += other.calls
        self.statuses += other.statuses
        for name, spent_s in other.seconds.items():
            self.seconds[name] = self.seconds.get(name, 0.0) + spent_s
        for kind, example in other.failures.items():
            self.fail(kind, example)

    def fail(self, kind: str, example: str) -> None:
        """Note a failure; one example of each kind is kept."""
        if len(self.failures) < MOST_FAILURES:
            self.failures.setdefault(kind, example)


def operations() -> list[str]:
    """The labels of all operations, such as `GET /health`."""
    return list(_operations())


@cache
def _operations() -> dict[str, Any]:
    document = json.loads(json.dumps(openapi.document("0")))
    every = schemathesis.openapi.from_dict(document).get_all_operations()
    return {operation.label: operation for each in every if isinstance(each, Ok) for operation in [each.ok()]}


def fuzz(world: World, label: str, number: int) -> Report:
    """A round of calls to one operation; `number` begins the random numbers."""
    operation, report = _operations()[label], Report()
    with Caller(world, report, Random(number)) as caller:
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            for case in made(operation, mode, number):
                caller.call(case, operation.definition.raw)
    return report


def made(operation: Any, mode: GenerationMode, number: int) -> list[AnyCase]:
    """Cases of one operation; none where nothing can be wrong with it."""
    found: list[AnyCase] = []

    @seed(number)
    @settings(
        max_examples=ROUND,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        verbosity=Verbosity.quiet,
    )
    @given(operation.as_strategy(generation_mode=mode))
    def collect(case: AnyCase) -> None:
        found.append(case)

    try:
        collect()
    except Unsatisfiable:
        return []
    except Flaky:
        pass  # the making broke off, in Hypothesis's reading of its own source: what was made until then is good
    return found


class Caller:
    """Sends cases and judges the answers."""

    def __init__(self, world: World, report: Report, random: Random) -> None:
        self._world = world
        self._report = report
        self._random = random
        self._session = requests.Session()
        self._spare: deque[str] = deque()
        self._bots = random.randrange(10**7)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for instance_id in self._spare:
            self._delete(f"instances/{instance_id}")
        self._session.close()

    def call(self, case: AnyCase, operation: Json) -> None:
        """Send a case as it was made, and once more with what exists in the place of what was made up."""
        name = operation["operationId"]
        misfit = _does_not_fit(case) and not REST.takes(name, case.body)
        self._send(case, name, misfit=misfit)
        parts = [each["name"] for each in operation.get("parameters", ()) if each["in"] == "path"]
        key = case.headers.pop("Idempotency-Key", None)  # a made-up one is often the same
        filled = self._fill(case.body)
        schemes = {scheme for choice in operation["security"] for scheme in choice}
        keeps = case.method == "GET" or "instanceKey" in schemes
        if {"id", "port"} & set(parts) and keeps:
            for instance in self._world.instances:
                self._put(case, parts, instance)
                self._send(case, name, misfit=misfit and not filled)
        elif parts or filled or key is not None:
            self._put(case, parts, {"instance_id": self._throwaway()} if "id" in parts else {})
            self._send(case, name, misfit=misfit and not filled)

    def _put(self, case: AnyCase, parts: list[str], instance: Json) -> None:
        known: dict[str, Callable[[], Any]] = {
            "id": lambda: instance["instance_id"],
            "provider": lambda: instance["provider"],
            "port": lambda: instance["port"],
            "chat": lambda: self._random.choice(self._world.chats),
            "group": lambda: self._random.choice(self._world.chats),
            "service": lambda: self._random.choice(self._world.services),
            "token_id": self._create_token,
            "worker": self._worker,
            "delivery_id": lambda: self._delivery(instance["instance_id"]),
            "bulk_id": lambda: self._bulk(instance),
            "message": lambda: str(self._random.randrange(20)),
        }
        case.path_parameters = {part: known[part]() for part in parts}
        if "port" in parts:
            case.headers["Authorization"] = f"Bearer {instance['api_key']}"

    def _delivery(self, instance_id: str) -> str:
        """A delivery of an instance, or one that does not exist."""
        path = f"{self._world.url}/api/v1/instances/{instance_id}/webhook/deliveries"
        found = self._session.get(path, timeout=ANSWER_S).json().get("deliveries", [])
        return str(self._random.choice(found)["id"]) if found else str(UUID(int=self._random.getrandbits(128)))

    def _worker(self) -> str:
        """A worker that lives. It has no other of its kind, so it is never drained."""
        found = self._session.get(f"{self._world.url}/api/v1/workers", timeout=ANSWER_S).json()["workers"]
        return str(self._random.choice(found)["name"]) if found else "nobody"

    def _bulk(self, instance: Json) -> str:
        """A bulk message of an instance, or one that does not exist."""
        path, headers = (
            f"{self._world.url}/{instance['port']}/api/v1/bulk",
            {"Authorization": f"Bearer {instance['api_key']}"},
        )
        found = self._session.get(path, headers=headers, timeout=ANSWER_S).json().get("bulks", [])
        return str(self._random.choice(found)["id"]) if found else f"{self._random.getrandbits(128):032x}"

    def _fill(self, body: Any) -> bool:
        """Give a body what its form alone does not tell, at any depth. Whether there was something to give."""
        if not isinstance(body, dict):
            return False
        known: dict[str, Callable[[], Any]] = {
            **dict.fromkeys(("to", "chatId", "number", "phone_number"), self._number),
            **dict.fromkeys(("mediaUrl", "source", "url"), lambda: self._random.choice(URLS)),
            **dict.fromkeys(("token", "bot_token"), self._bot_token),
            "proxy": lambda: "http://10.0.0.1:3128",
            "headers": lambda: {"X-A": "b"},
            "message": lambda: "hello",
            "instance_ids": lambda: [each["instance_id"] for each in self._world.instances],
        }
        fitting = {name: known[name]() for name in body if name in known}
        body.update(fitting)
        return any([bool(fitting), *(self._fill(each) for each in body.values())])

    def _number(self) -> str:
        # Another one each time: a chat gets a message a second.
        return f"1555{self._random.randrange(10**7):07d}"

    def _send(self, case: AnyCase, name: str, *, misfit: bool = False) -> None:
        request = case.as_transport_kwargs(base_url=self._world.url)
        began = time.monotonic()
        try:
            with self._session.request(**request, stream=True, timeout=ANSWER_S) as response:
                media = response.headers.get("Content-Type", "")
                # A stream goes on for ever: its beginning is enough.
                body = next(response.iter_content(64)) if media.startswith("text/event-stream") else response.content
        except (requests.exceptions.InvalidHeader, UnicodeError):
            return  # it cannot be said in HTTP
        except requests.RequestException as error:
            self._report.fail(f"{name}: {type(error).__name__}", f"{case.as_curl_command()} → {error}")
            return
        self._report.calls += 1
        self._report.seconds[name] = self._report.seconds.get(name, 0.0) + time.monotonic() - began
        self._report.statuses[name, response.status_code] += 1
        path = response.request.path_url or case.path
        if len(path) > LONGEST_LINE and response.status_code in (400, 414):
            return  # the HTTP parser itself refuses it
        problems = REST.problems(case.method, path, response.status_code, media, body)
        if response.status_code in BROKEN:
            problems.append(f"{name} answered {response.status_code}")
        if misfit and response.ok:
            problems.append(f"{name} took a body that does not fit its schema")
        for problem in problems:
            self._report.fail(problem[:160], f"{problem}\n  {case.as_curl_command()[:1500]}\n  → {body[:500]!r}")
        self._learn(case, response.status_code, body)

    # ------------------------------------------------------------------------------------- what is made for it

    def _learn(self, case: AnyCase, status: int, body: bytes) -> None:
        """What was created goes at once: sessions would cost much."""
        if case.method == "DELETE" and status in (200, 202) and case.path_parameters.get("id") in self._spare:
            self._spare.remove(case.path_parameters["id"])
        if case.method != "POST" or status not in (201, 202):
            return
        told = json.loads(body)
        if "process_result" in told or "status_check_url" in told:
            self._delete(f"instances/{told['instance_id']}")
        elif "token" in told:
            self._delete(f"tokens/{told['data']['id']}")

    def _throwaway(self) -> str:
        """An instance that may be changed and deleted."""
        if len(self._spare) < SPARE:
            self._spare.append(self._create())
        self._spare.rotate()
        return self._spare[0]

    def _create(self) -> str:
        is_bot = self._random.random() < 0.5
        body: Json = {"user_id": "fuzz", "provider": "telegram" if is_bot else "whatsappweb", "type_instance": ["api"]}
        body |= {"token": self._bot_token()} if is_bot else {"start": False}
        return str(self._post("instances", body)["instance_id"])

    def _create_token(self) -> str:
        return str(self._post("tokens", {"name": "fuzz", "role": "viewer"})["data"]["id"])

    def _bot_token(self) -> str:
        self._bots += 1
        return TOKEN.format(self._bots)

    def _post(self, path: str, body: Json) -> Json:
        answer = self._session.post(f"{self._world.url}/api/v1/{path}", json=body, timeout=ANSWER_S)
        assert answer.ok, answer.text
        return dict(answer.json())

    def _delete(self, path: str) -> None:
        self._session.delete(f"{self._world.url}/api/v1/{path}", timeout=ANSWER_S)


def _does_not_fit(case: AnyCase) -> bool:
    body = case.meta.components.get(ParameterLocation.BODY) if case.meta else None
    return body is not None and body.mode is GenerationMode.NEGATIVE

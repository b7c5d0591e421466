"""Calls every operation of the OpenAPI document with data that fits and data that does not.

Runs in processes of its own: making the data takes longer than answering. What exists in the system is put in place of
made-up ids in every second call; what a call may change or delete is an instance that was made for that.
"""

from __future__ import annotations

import json
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from random import Random
from typing import Any, Self
from urllib.parse import quote

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from tests.e2e.validation import REST

from mim.contracts import openapi

Json = dict[str, Any]
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
    failures: dict[str, str] = field(default_factory=dict)

    def fail(self, kind: str, example: str) -> None:
        """Note a failure; one example of each kind is kept."""
        if len(self.failures) < MOST_FAILURES:
            self.failures.setdefault(kind, example)


def operations() -> list[str]:
    """The labels of all operations, such as `GET /health`."""
    return [f"{method.upper()} {path}" for path, item in openapi.document("0")["paths"].items() for method in item]


def fuzz(world: World, labels: list[str], calls: int, number: int) -> Report:
    """Make some `calls` to the operations with these labels; `number` begins the random numbers."""
    document = json.loads(json.dumps(openapi.document("0")))
    schema = schemathesis.openapi.from_dict(document)
    chosen = [found for each in schema.get_all_operations() if (found := each.ok()).label in set(labels)]
    report = Report()
    with Caller(world, report, Random(number)) as caller:
        for turn in count(number):
            for operation in chosen:
                for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
                    for case in made(operation, mode, turn):
                        caller.call(case, operation.definition.raw)
            if report.calls >= calls:
                return report
    raise AssertionError


def made(operation: Any, mode: GenerationMode, number: int) -> list[Case]:
    """Cases of one operation; none where nothing can be wrong with it."""
    found: list[Case] = []

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
    def collect(case: Case) -> None:
        found.append(case)

    try:
        collect()
    except Unsatisfiable:
        return []
    return found


class Caller:
    """Sends cases and judges the answers."""

    def __init__(self, world: World, report: Report, random: Random) -> None:
        self._world = world
        self._report = report
        self._random = random
        self._session = requests.Session()
        self._spare: deque[str] = deque()
        self._tokens: deque[str] = deque(maxlen=100)
        self._bots = random.randrange(10**7)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for instance_id in self._spare:
            self._delete(instance_id)
        self._session.close()

    def call(self, case: Case, operation: Json) -> None:
        """Send a case as it was made, and once more with what exists in the place of what was made up."""
        self._send(case, operation["operationId"])
        if self._make_real(case, operation):
            self._send(case, operation["operationId"])

    def _make_real(self, case: Case, operation: Json) -> bool:
        """Whether there was something to put in place."""
        instance = self._random.choice(self._world.instances)
        schemes = {name for choice in operation["security"] for name in choice}
        keeps = case.method == "GET" or "instanceKey" in schemes
        chat = self._random.choice(self._world.chats)
        in_path: dict[str, Callable[[], Any]] = {
            "id": lambda: instance["instance_id"] if keeps else self._throwaway(),
            "provider": lambda: instance["provider"],
            "port": lambda: instance["port"],
            "chat": lambda: chat,
            "service": lambda: self._random.choice(self._world.services),
            "token_id": lambda: self._tokens.popleft() if self._tokens else "none",
        }
        names = [each["name"] for each in operation.get("parameters", ()) if each["in"] == "path"]
        case.path_parameters = {name: in_path[name]() for name in names}
        if "port" in names:
            case.headers["Authorization"] = f"Bearer {instance['api_key']}"
        key = case.headers.pop("Idempotency-Key", None)  # a made-up one is often the same
        return bool(names) or key is not None or self._fill(case, chat)

    def _fill(self, case: Case, chat: str) -> bool:
        """Give a body what its form alone does not tell."""
        if not isinstance(case.body, dict):
            return False
        in_body: dict[str, Callable[[], Any]] = {
            **dict.fromkeys(("to", "chatId", "number"), lambda: chat),
            **dict.fromkeys(("mediaUrl", "source", "url"), lambda: self._random.choice(URLS)),
            "token": self._bot_token,
            "instance_ids": lambda: [each["instance_id"] for each in self._world.instances],
        }
        fitting = {name: in_body[name]() for name in case.body if name in in_body}
        case.body = {**case.body, **fitting}
        return bool(fitting)

    def _send(self, case: Case, name: str) -> None:
        request = case.as_transport_kwargs(base_url=self._world.url)
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
        self._report.statuses[name, response.status_code] += 1
        path = response.request.path_url or case.path
        if len(path) > LONGEST_LINE and response.status_code in (400, 414):
            return  # the HTTP parser itself refuses it
        problems = REST.problems(case.method, path, response.status_code, media, body)
        if response.status_code in BROKEN:
            problems.append(f"{name} answered {response.status_code}")
        for problem in problems:
            self._report.fail(problem[:160], f"{problem}\n  {case.as_curl_command()[:1500]}\n  → {body[:500]!r}")
        self._learn(case, response.status_code, body)

    # ------------------------------------------------------------------------------------- what is made for it

    def _learn(self, case: Case, status: int, body: bytes) -> None:
        """Instances that were created go at once, their sessions would cost much; tokens are kept to be revoked."""
        if case.method == "DELETE" and status in (200, 202) and case.path_parameters.get("id") in self._spare:
            self._spare.remove(case.path_parameters["id"])
        if case.method != "POST" or status not in (201, 202):
            return
        told = json.loads(body)
        if "process_result" in told or "status_check_url" in told:
            self._delete(told["instance_id"])
        elif "token" in told:
            self._tokens.append(told["data"]["id"])

    def _throwaway(self) -> str:
        """An instance that may be changed and deleted."""
        if len(self._spare) < SPARE:
            self._spare.append(self._create())
        self._spare.rotate()
        return self._spare[0]

    def _create(self) -> str:
        is_bot = self._random.random() < 0.5
        body = {"user_id": "fuzz", "provider": "telegram" if is_bot else "whatsappweb", "type_instance": ["api"]}
        body |= {"token": self._bot_token()} if is_bot else {"start": False}
        answer = self._session.post(f"{self._world.url}/api/v1/instances", json=body, timeout=ANSWER_S)
        return str(answer.json()["instance_id"])

    def _bot_token(self) -> str:
        self._bots += 1
        return TOKEN.format(self._bots)

    def _delete(self, instance_id: str) -> None:
        self._session.delete(f"{self._world.url}/api/v1/instances/{quote(instance_id)}", timeout=ANSWER_S)


def shares(labels: list[str], number: int) -> Iterator[list[str]]:
    """The labels in so many parts."""
    for start in range(number):
        yield labels[start::number]

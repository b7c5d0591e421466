"""Groups of every kind of account through its port and through the gateway: listed, made, changed, left."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.e2e.conftest import System

Json = dict[str, Any]
OWN, BOB, CAROL = "15557770001", "15557770002", "15557770003"


class Port:
    """The groups of one instance: on its own port, and through the gateway by port and by id, in turn."""

    def __init__(self, system: System, made: Json) -> None:
        self._system, self._made, self._turn = system, made, 0

    async def __call__(self, method: str, path: str = "", body: Any = None, status: int = 200) -> Json:
        self._turn += 1
        key, path = self._made["api_key"], f"/api/v1/groups{path}"
        if self._turn % 3 == 0:
            found, answer = await self._system.port_call(self._made["port"], method, path, body, key)
        else:
            headers = {"Authorization": f"Bearer {key}"}
            way = f"/{self._made['port']}" if self._turn % 3 == 1 else f"/i/{self._made['instance_id']}"
            found, answer = await self._system.call(method, way + path, body, headers=headers)
        assert found == status, answer
        return answer


async def test_a_whatsapp_account_makes_a_group_and_changes_it(system: System) -> None:
    groups = Port(system, await system.ready_whatsapp(OWN))
    assert (await groups("GET"))["source"] == "account"
    body = {"title": "Picnic", "participants": ["+1 555 777 0002"]}
    group = (await groups("POST", "", body, 201))["group"]
    assert [each["phone_number"] for each in group["participants"]] == [OWN, BOB]
    listed = await groups("GET", "?search=PIC")
    assert [(each["id"], each["name"], each["participantsCount"]) for each in listed["groups"]] == [
        (group["id"], "Picnic", 2)
    ]
    assert (await groups("GET", "?search=nothing"))["total"] == 0

    one = f"/{group['id']}"
    people = {"action": "add", "participants": [CAROL, BOB]}
    added = (await groups("POST", f"{one}/participants", people))["participants"]
    assert [each["problem"] for each in added] == [None, "already_there"]
    await groups("POST", f"{one}/participants", {"action": "promote", "participants": [CAROL]})
    found = (await groups("GET", one))["group"]
    assert [each["phone_number"] for each in found["participants"] if each["is_admin"]] == [OWN, CAROL]
    await groups("POST", f"{one}/participants", {"action": "remove", "participants": [BOB]})
    assert (await groups("GET", one))["group"]["participants_count"] == 2

    link = (await groups("GET", f"{one}/invite"))["link"]
    assert (await groups("POST", f"{one}/invite"))["link"] != link
    await system.control("whatsapp", "incoming", group=group["id"], text="hello all", **{"from": CAROL})
    while not (listed := (await groups("GET"))["groups"])[0]["messageCount"]:
        pass  # each look asks the message store; pytest's own deadline ends it
    assert listed[0]["lastMessage"] == "hello all"


async def test_a_persons_telegram_account_makes_a_group(system: System) -> None:
    for phone, name in ((OWN, "own_groups"), (BOB, "bob_groups")):
        await system.control("mtproto", "person", phone=f"+{phone}", name=name, username=name)
    body = {"user_id": "test", "provider": "telegram", "login": "user", "type_instance": ["api"]}
    _, made = await system.call("POST", "/api/v1/instances", body)
    await system.until(made["instance_id"], "qr_ready")
    _, qr = await system.call("GET", f"/api/v1/instances/{made['instance_id']}/qr")
    await system.control("mtproto", "scan", qr=qr["code"], phone=f"+{OWN}")
    await system.until(made["instance_id"], "client_ready")
    groups = Port(system, made)
    group = (await groups("POST", "", {"title": "Picnic", "participants": ["@bob_groups"]}, 201))["group"]
    assert {each["username"] for each in group["participants"]} == {"own_groups", "bob_groups"}
    assert [each["id"] for each in (await groups("GET"))["groups"]] == [group["id"]]
    body = {"action": "remove", "participants": ["@bob_groups", "@nobody_at_all"]}
    gone = (await groups("POST", f"/{group['id']}/participants", body))["participants"]
    assert [each["problem"] for each in gone] == [None, "not_found"]


async def test_what_a_bot_cannot_do_and_bad_input_are_said_clearly(system: System) -> None:
    made = await system.ready_telegram()
    groups = Port(system, made)
    assert await groups("GET") == {"success": True, "groups": [], "total": 0, "source": "stored"}
    people = {"title": "Picnic", "participants": ["1"]}
    assert "group_create" in (await groups("POST", "", people, 422))["error"]
    adding = {"action": "add", "participants": ["1"]}
    assert (await groups("POST", "/-1001/participants", adding, 422))["code"] == "NOT_SUPPORTED"
    assert (await groups("GET", "/-1001", None, 404))["code"] == "NOT_FOUND"
    assert (await groups("GET", "/1", None, 404))["code"] == "NOT_FOUND"
    for wrong in ({"action": "bless", "participants": ["1"]}, {"action": "remove", "participants": []}):
        assert (await groups("POST", "/-1001/participants", wrong, 422))["code"] == "INVALID_FIELDS"
    assert (await groups("POST", "", {"title": "x" * 101, "participants": ["1"]}, 422))["code"] == "INVALID_FIELDS"
    await system.call("POST", f"/api/v1/instances/{made['instance_id']}/stop")
    await system.until(made["instance_id"], "stopped")
    assert (await groups("GET", "/-1001", None, 409))["code"] == "NOT_READY"


async def test_an_instance_that_is_not_there_is_said_by_its_id(system: System) -> None:
    for who in ("00000000-0000-4000-8000-0000000000ff", "nobody"):
        status, answer = await system.call("GET", f"/i/{who}/api/v1/status")
        assert (status, answer["code"]) == (404, "NOT_FOUND")
        assert who in answer["error"]

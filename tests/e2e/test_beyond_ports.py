"""More instances than ports: those that are reached through the gateway only, by their ids."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.e2e.conftest import StartSystem, System

Json = dict[str, Any]
GATEWAY = {"expose": "gateway"}
TOKEN = "765432109:" + "A" * 35
NEW = {"user_id": "test", "provider": "telegram", "type_instance": ["api"], "token": TOKEN}


async def test_there_are_more_instances_than_ports(own_system: StartSystem) -> None:
    system = await own_system(ports=2)
    bots = [await system.ready_telegram() for _ in range(2)]
    status, answer = await system.call("POST", "/api/v1/instances", NEW)
    assert (status, answer["code"]) == (503, "PORTS_EXHAUSTED")
    beyond = [await system.ready_telegram(**GATEWAY) for _ in range(4)]
    assert [made["port"] for made in beyond] == [None] * 4
    assert len({made["port"] for made in bots}) == 2
    for made in beyond:
        assert await says(system, made, f"text of {made['instance_id']}") == 200
    _, shown = await system.call("GET", "/api/v1/resources/ports")
    assert len(shown["used_ports"]) == 2

    one = beyond[0]["instance_id"]
    for way in ("chats", "groups", "bulk", "status", "stored-messages/stats", "telegram/me", "webhook/config"):
        path = f"/api/v1/instances/{one}/{way}"
        status, answer = await system.call("GET", path, headers=bearer(beyond[0]["api_key"]))
        assert status == 200, answer
        assert (await system.call("GET", path, headers=bearer(beyond[1]["api_key"])))[0] == 401
    shown = await system.get(one)
    assert (shown["expose"], shown["port_api"], shown["ports"]) == ("gateway", None, {"api": None, "mcp": None})
    _, credentials = await system.call("GET", f"/api/v1/instances/{one}/credentials")
    assert credentials["api_url"] == f"{system.url}/i/{one}"
    status, answer = await system.call("GET", f"/i/{one}/api/v1/telegram/me", headers=bearer(credentials["api_key"]))
    assert (status, answer["username"]) == (200, shown["account"])
    await system.call("POST", f"/api/v1/instances/{one}/restart")
    async with system.events(f"?instance_id={one}&last_event_id=0&types=client_ready") as events:
        while (await anext(events))[2]["data"]["epoch"] < 2:
            pass
    assert await says(system, beyond[0], "after a restart") == 200

    await system.call("DELETE", f"/api/v1/instances/{one}")
    await system.says("instance_released", one)
    assert await says(system, beyond[0], "nobody is there") == 404


async def test_the_key_of_one_opens_no_other(system: System) -> None:
    one, other = [await system.ready_telegram(**GATEWAY) for _ in range(2)]
    for key, status in ((one["api_key"], 401), ("", 401), (other["api_key"], 200)):
        found, _ = await system.call("GET", f"/i/{other['instance_id']}/api/v1/status", headers=bearer(key))
        assert found == status
    found, answer = await system.call("GET", f"/i/{other['instance_id']}/api/v1/health")
    assert (found, answer["status"]) == (200, "healthy")


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"} if key else {}


async def says(system: System, made: Json, text: str) -> int:
    """Send a text by the instance's id; the status of the answer."""
    path, body = f"/i/{made['instance_id']}/api/v1/telegram/send", {"chatId": "1", "message": text}
    status, _ = await system.call("POST", path, body, headers=bearer(made["api_key"]))
    return status

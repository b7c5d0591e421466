"""One message to many through an instance's port: at its pace, counted, cancelled."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.e2e.conftest import System

Json = dict[str, Any]


async def test_one_message_goes_to_many_and_another_is_cancelled(system: System) -> None:
    made = await system.ready_telegram()
    port, key = made["port"], made["api_key"]
    body = {"recipients": ["71", 72, "71", "73"], "text": "to all of you", "per_minute": 600}
    status, answer = await system.port_call(port, "POST", "/api/v1/bulk", body, key)
    assert (status, answer["bulk"]["total"]) == (201, 3), answer
    path = f"/api/v1/bulk/{answer['bulk']['id']}"
    found: Json = {"bulk": {"status": "running"}}
    async with asyncio.timeout(20):
        while found["bulk"]["status"] != "done":
            _, found = await system.port_call(port, "GET", path, key=key)
    assert found["bulk"]["counts"] == {"sent": 3}
    assert [(item["to"], item["status"]) for item in found["items"]] == [("71", "sent"), ("72", "sent"), ("73", "sent")]
    for chat in ("71", "72", "73"):
        (message,) = (await system.control("telegram", "inbox", chat=chat))["messages"]
        assert message["text"] == "to all of you"

    body = {"recipients": [str(number) for number in range(1000, 1100)], "text": "never", "per_minute": 1}
    _, answer = await system.port_call(port, "POST", "/api/v1/bulk", body, key)
    path = f"/api/v1/bulk/{answer['bulk']['id']}"
    status, answer = await system.port_call(port, "POST", path + "/cancel", None, key)
    assert (status, answer["bulk"]["status"]) == (200, "cancelled")
    assert answer["bulk"]["counts"]["cancelled"] >= 97
    _, listed = await system.port_call(port, "GET", "/api/v1/bulk", key=key)
    assert [bulk["status"] for bulk in listed["bulks"]] == ["cancelled", "done"]
    status, answer = await system.port_call(port, "POST", "/api/v1/bulk", {"recipients": [], "text": "x"}, key)
    assert status == 422
    status, answer = await system.port_call(port, "GET", "/api/v1/bulk/nothing", key=key)
    assert status == 404

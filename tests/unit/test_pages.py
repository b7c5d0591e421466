"""How the gateway serves the dashboard's files."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from mim.contracts.openapi import document
from mim.contracts.routes import GATEWAY
from mim.gateway.pages import Pages

DASHBOARD = Path(__file__).resolve().parents[2] / "services" / "dashboard"
HTML = {"Accept": "text/html,application/xhtml+xml"}
SCRIPT = b"console.log('hello');" * 50
ACCEPT = "the REST interface changed; run: MIM_UPDATE_SNAPSHOTS=1 ./mim test tests/unit/test_pages.py; npm run types"
Client = TestClient[web.Request, web.Application]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "dist" / "assets").mkdir(parents=True)
    (tmp_path / "secret.txt").write_text("secret")
    (tmp_path / "dist" / ".stamp").write_text("stamp")
    (tmp_path / "dist" / "index.html").write_text("<!doctype html><title>mim</title>")
    (tmp_path / "dist" / "assets" / "index-abc.js").write_bytes(SCRIPT)
    (tmp_path / "dist" / "assets" / "index-abc.js.gz").write_bytes(gzip.compress(SCRIPT))
    return tmp_path / "dist"


@pytest_asyncio.fixture
async def client(folder: Path) -> AsyncIterator[Client]:
    app = web.Application()
    for route in GATEWAY:
        app.router.add_route(route.method, route.path, _api)
    Pages(folder).bind(app.router, GATEWAY)
    async with TestClient(TestServer(app)) as found:
        yield found


async def _api(_request: web.Request) -> web.Response:
    return web.json_response({"api": True})


@pytest.mark.parametrize("path", ["/", "/instances/new", "/instances/some-id?tab=login", "/healthy"])
async def test_every_page_is_the_one_page_and_asked_for_each_time(client: Client, path: str) -> None:
    answer = await client.get(path, headers=HTML)
    assert answer.status == 200
    assert "<title>mim</title>" in await answer.text()
    assert answer.headers["Cache-Control"] == "no-cache"
    policy = answer.headers["Content-Security-Policy"]
    assert "script-src 'self';" in policy
    assert "unsafe-eval" not in policy
    assert "frame-ancestors 'none'" in policy
    again = await client.get(path, headers=HTML | {"If-None-Match": answer.headers["ETag"]})
    assert again.status == 304


async def test_of_the_scripts_in_the_page_only_those_run_that_were_built_into_it(client: Client, folder: Path) -> None:
    (folder / "index.html").write_text("<!doctype html><script>\n  hello();\n</script><script src='/x.js'></script>")
    policy = (await client.get("/", headers=HTML)).headers["Content-Security-Policy"]
    digest = base64.b64encode(hashlib.sha256(b"\n  hello();\n").digest()).decode()
    assert f"script-src 'self' 'sha256-{digest}';" in policy


async def test_hashed_files_are_kept_for_ever_and_sent_packed(client: Client) -> None:
    answer = await client.get("/assets/index-abc.js", headers={"Accept-Encoding": "gzip"})
    assert await answer.read() == SCRIPT
    assert answer.headers["Content-Encoding"] == "gzip"
    assert "immutable" in answer.headers["Cache-Control"]
    assert answer.headers["Vary"] == "Accept-Encoding"
    assert answer.content_type.endswith("javascript")
    plain = await client.get("/assets/index-abc.js", headers={"Accept-Encoding": "identity"})
    assert "Content-Encoding" not in plain.headers


@pytest.mark.parametrize(
    "path",
    ["/assets/index-old.js", "/..%2Fsecret.txt", "/%2e%2e/secret.txt", "/.stamp", "/assets/index-abc.js.gz", "/assets"],
)
async def test_what_is_no_file_of_the_dashboard_is_not_found(client: Client, path: str) -> None:
    answer = await client.get(path, headers={"Accept": "*/*"})
    assert answer.status == 404
    assert "secret" not in await answer.text()


async def test_routes_keep_their_own_answers(client: Client) -> None:
    assert await (await client.get("/health", headers=HTML)).json() == {"api": True}
    assert (await client.get("/api/v1/nothing", headers=HTML)).status == 404
    assert (await client.get("/docs/nothing", headers=HTML)).status == 404
    assert (await client.post("/health")).status == 405
    assert (await client.post("/instances/new")).status == 404


async def test_what_is_not_built_yet_says_how_and_comes_without_a_restart(client: Client, folder: Path) -> None:
    page = (folder / "index.html").read_text()
    (folder / "index.html").unlink()
    answer = await client.get("/", headers=HTML)
    assert answer.status == 503
    assert "build.py" in await answer.text()
    assert answer.headers["Cache-Control"] == "no-store"
    (folder / "index.html").write_text(page)
    assert (await client.get("/", headers=HTML)).status == 200


def test_the_dashboard_has_the_document_of_the_contracts() -> None:
    path = DASHBOARD / "openapi.json"
    present = json.loads(json.dumps(document("0")))
    if os.environ.get("MIM_UPDATE_SNAPSHOTS") == "1":
        path.write_text(json.dumps(present, indent=1, ensure_ascii=False) + "\n")
    assert json.loads(path.read_text()) == present, ACCEPT

"""What a container engine runs for this system, asked of a real engine.

`DOCKER_HOST` names the engine. Without one these tests skip; with REQUIRE_ENGINE=1 they fail instead.
"""

from __future__ import annotations

import io
import os
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import docker
import pytest
from docker.errors import DockerException

from mim.gateway.containers import LABEL, Engine

ADDRESS = os.environ.get("DOCKER_HOST", "")


@pytest.fixture(scope="module")
def engine() -> Iterator[docker.DockerClient]:
    try:
        client = docker.DockerClient(base_url=ADDRESS or "unix:///nowhere", timeout=5)
        client.ping()
    except DockerException as error:
        if os.environ.get("REQUIRE_ENGINE"):
            pytest.fail(f"the engine at DOCKER_HOST is required and does not answer: {error}")
        pytest.skip("no container engine: set DOCKER_HOST to one that answers")
    yield client
    client.close()


@pytest.fixture(scope="module")
def image(engine: docker.DockerClient) -> Iterator[str]:
    """An image without a registry: nats-server is a static binary."""
    binary = Path(sys.executable).with_name("nats-server").read_bytes()
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as archive:
        entry = tarfile.TarInfo("nats-server")
        entry.size, entry.mode = len(binary), 0o755
        archive.addfile(entry, io.BytesIO(binary))
    name = f"mim-test-{uuid4().hex[:12]}"
    engine.api.import_image_from_data(tar.getvalue(), repository=name)
    yield name
    engine.images.remove(name, force=True)


async def test_only_containers_of_this_system_are_told(engine: docker.DockerClient, image: str) -> None:
    run = uuid4().hex[:12]
    made = []
    try:
        for name, labels in (("ours", {LABEL: run}), ("foreign", {"other": run}), ("ended", {LABEL: run})):
            container = engine.containers.create(
                image, ["/nats-server", "-v" if name == "ended" else "-DV"], name=f"{name}-{run}", labels=labels
            )
            made.append(container)
            container.start()
            if name == "ended":
                container.wait(timeout=20)
        found = await Engine(ADDRESS).containers()
        assert found is not None
        assert found.error is None
        assert [name for name in found.names if run in name] == [f"ended-{run}", f"ours-{run}"]
        assert found.running >= 1
        assert found.total >= 2
    finally:
        for container in made:
            container.remove(force=True)


async def test_without_an_engine_there_is_nothing_to_tell() -> None:
    assert await Engine("").containers() is None


async def test_an_engine_that_is_not_there_is_told_as_such(tmp_path: Path) -> None:
    found = await Engine(f"unix://{tmp_path}/none.sock").containers()
    assert found is not None
    assert (found.total, found.names) == (0, [])
    assert "MIM_DOCKER_HOST" in (found.error or "")

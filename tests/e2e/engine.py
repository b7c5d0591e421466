"""The container engine of tests: `DOCKER_HOST` names it, `MIM_TEST_IMAGE` an image of deploy/Dockerfile that it has.

Without them tests skip and say why; with REQUIRE_ENGINE=1 they fail instead.
"""

from __future__ import annotations

import os

import docker
import pytest
from docker.errors import DockerException

ADDRESS = os.environ.get("DOCKER_HOST", "")
IMAGE = os.environ.get("MIM_TEST_IMAGE", "")


def connect() -> docker.DockerClient:
    """A connection to the engine, which has the image."""
    try:
        engine = docker.DockerClient(base_url=ADDRESS or "unix:///nowhere", timeout=30)
        engine.images.get(IMAGE or "none")
    except DockerException as error:
        message = f"no container engine with the image, set DOCKER_HOST and MIM_TEST_IMAGE: {error}"
        if os.environ.get("REQUIRE_ENGINE"):
            pytest.fail(message)
        pytest.skip(message)
    return engine

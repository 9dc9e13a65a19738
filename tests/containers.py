"""What tests with a Docker engine share: whether one answers, and the images of this very code."""

import functools

import docker
import pytest
from docker.errors import DockerException

from pipelines.images import address


@functools.cache
def without_engine() -> str:
    """Why there is no engine; empty if one answers."""
    try:
        client = docker.from_env()
        client.ping()
        client.close()
    except DockerException as error:
        return f"no Docker engine answers: {error}"
    return ""


def engine() -> docker.DockerClient:
    """The engine, or the test is skipped."""
    if reason := without_engine():
        pytest.skip(reason)
    return docker.from_env()


def built(name: str) -> str:
    """The address of one of this code's images; skips where it was not built: tests build no image by themselves."""
    client = engine()
    try:
        client.images.get(address(f"m2m/{name}"))
    except docker.errors.ImageNotFound:
        pytest.skip(f"there is no image {address(f'm2m/{name}')}: make images")
    finally:
        client.close()
    return address(f"m2m/{name}")

"""A stand-in for KFP's API server, which the environment names."""

import pytest

from tests.pipelines.kfp_server import KFP
from tests.stacks import stacks_without_sources  # noqa: F401


@pytest.fixture
def kfp(monkeypatch):
    for name in (
        "KF_PIPELINES_ENDPOINT",
        "KF_PIPELINES_TOKEN",
        "KF_PIPELINES_SA_TOKEN_PATH",
        "KUBERNETES_SERVICE_HOST",
    ):
        monkeypatch.delenv(name, raising=False)
    server = KFP()
    monkeypatch.setenv("KF_PIPELINES_ENDPOINT", server.endpoint)
    yield server
    server.close()

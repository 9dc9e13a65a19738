"""Tests use the stores that they name and not those of whoever runs them."""

import pytest


@pytest.fixture(autouse=True)
def no_stores(monkeypatch):
    for name in ("M2M_STORE", "M2M_WORK"):
        monkeypatch.delenv(name, raising=False)

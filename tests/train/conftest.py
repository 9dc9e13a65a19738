"""One tiny data set for all tests of training; they only read it."""

from pathlib import Path

import pytest
import torch

from tests.train.toysets import make_set


@pytest.fixture(scope="session")
def toys(tmp_path_factory) -> Path:
    return make_set(tmp_path_factory.mktemp("toys"))


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Sums come out the same on any machine; in what a module makes once, too."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)

"""Fixtures of the detectors."""

import pytest


@pytest.fixture(scope="session")
def zoo_file(tmp_path_factory):
    """A file as detectron2's model zoo has it, of random weights."""
    pytest.importorskip("torchvision")
    from tests.augment.detect.random_zoo import write

    return write(tmp_path_factory.mktemp("zoo") / "model_final.pkl")

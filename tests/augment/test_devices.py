"""Devices by name, and work in smaller pieces where a GPU's memory is short."""

import logging

import pytest
import torch

from m2m.augment.devices import halving, pick_device
from m2m.errors import InfrastructureError, InputError


class Small:
    """A GPU with memory for some items; it remembers the pieces."""

    def __init__(self, most):
        self.most, self.pieces = most, []

    def __call__(self, items):
        if len(items) > self.most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
        self.pieces.append(len(items))
        return [2 * n for n in items]


@pytest.mark.parametrize(("most", "pieces"), [(100, [21]), (21, [21]), (10, [10, 10, 1]), (3, [2] * 10 + [1])])
def test_pieces_are_halved_until_they_fit_and_stay_so(most, pieces, caplog):
    gpu = Small(most)
    with caplog.at_level(logging.WARNING):
        assert halving(gpu, range(21)) == [2 * n for n in range(21)]
    assert gpu.pieces == pieces
    assert ("memory is short" in caplog.text) == (most < 21)


def test_what_fits_in_no_piece_is_said():
    with pytest.raises(InfrastructureError, match=r"too short for 4 at a time: CUDA out of memory"):
        halving(Small(3), range(16), least=4)


def test_nothing_is_no_work():
    assert halving(Small(1), []) == []


@pytest.mark.parametrize("name", ["gpu", "cuda:", "cuda:x", "cpu:0", "auto:1", ""])
def test_names_that_are_none(name):
    with pytest.raises(InputError, match="device is auto, cpu, cuda or cuda:N"):
        pick_device(name)


def test_devices_that_are_there(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert pick_device("auto") == pick_device("cpu") == torch.device("cpu")
    with pytest.raises(InfrastructureError, match="sees 0 GPUs"):
        pick_device("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert pick_device("auto") == torch.device("cuda") and pick_device("cuda:1") == torch.device("cuda", 1)
    with pytest.raises(InfrastructureError, match="sees 2 GPUs"):
        pick_device("cuda:2")

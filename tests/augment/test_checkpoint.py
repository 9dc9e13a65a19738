"""Checkpoints of others: nothing in them runs, and they are loaded whole or not at all."""

import pytest
import torch

from m2m.augment.checkpoint import load_strict, read_pytorch
from m2m.errors import InputError


class Two(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = torch.nn.Linear(2, 2), torch.nn.Linear(2, 3)


def test_other_checkpoints_are_refused_and_their_keys_named(tmp_path):
    model, file = Two(), tmp_path / "c.pth"
    state = Two().state_dict()
    torch.save(state, file)
    load_strict(model, read_pytorch(file), file)
    assert all(torch.equal(v, state[k]) for k, v in model.state_dict().items())
    torch.save({"a.weight": state["a.weight"], "z": state["a.bias"]}, file)
    with pytest.raises(InputError, match=r"lacks a\.bias, b\.bias, b\.weight and has unknown z; name"):
        load_strict(model, read_pytorch(file), file)
    torch.save({**state, "a.bias": torch.zeros(7)}, file)
    with pytest.raises(InputError, match=r"1 tensors have another shape: a\.bias \(7,\) for \(2,\)"):
        load_strict(model, read_pytorch(file), file)
    torch.save([1, 2], file)
    with pytest.raises(InputError, match="holds no tensors by name"):
        load_strict(model, read_pytorch(file), file)
    torch.save({"a": Two()}, file)  # a pickle of code is not run
    with pytest.raises(InputError, match="no checkpoint"):
        load_strict(model, read_pytorch(file), file)
    file.write_text("<html>quota exceeded</html>")
    with pytest.raises(InputError, match="no checkpoint"):
        load_strict(model, read_pytorch(file), file)

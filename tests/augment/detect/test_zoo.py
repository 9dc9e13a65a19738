import pickle
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("torchvision")

from m2m.augment.checkpoint import compare_names, load_strict  # noqa: E402
from m2m.augment.detect.zoo import (  # noqa: E402
    names,
    read_checkpoint,
    to_torchvision,
    without_constants,
)
from m2m.errors import InputError  # noqa: E402
from tests.augment.detect.random_zoo import arrays  # noqa: E402

HERE = Path("zoo.pkl")


class Shell:
    """Writes a file as soon as somebody unpickles it."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_arrays_are_read_whatever_the_protocol(tmp_path, protocol):
    state = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.ones(2, np.float16)}
    (tmp_path / "m.pkl").write_bytes(pickle.dumps({"model": state, "__author__": "me"}, protocol))
    got = read_checkpoint(tmp_path / "m.pkl")
    assert set(got) == set(state) and all(np.array_equal(got[k].numpy(), state[k]) for k in state)


def test_what_numpy_1_wrote_is_read(tmp_path):
    old = pickle.dumps({"a": np.arange(3.0)}, 2).replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
    assert b"numpy.core" in old
    (tmp_path / "m.pkl").write_bytes(old)
    assert read_checkpoint(tmp_path / "m.pkl")["a"].tolist() == [0, 1, 2]


@pytest.mark.parametrize("name", ["m.pkl", "m.pth"])
def test_a_program_in_a_checkpoint_does_not_run(tmp_path, name):
    trap = {"model": {"a": np.zeros(2), "b": Shell(tmp_path / "ran")}}
    (tmp_path / name).write_bytes(pickle.dumps(trap))
    with pytest.raises(InputError, match=f"{name} is no checkpoint"):
        read_checkpoint(tmp_path / name)
    if name == "m.pth":
        torch.save(trap, tmp_path / name)
        with pytest.raises(InputError, match="no checkpoint"):
            read_checkpoint(tmp_path / name)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "content", [b"", b"<html>not found</html>", pickle.dumps([1]), pickle.dumps({"model": {"a": 1}})]
)
@pytest.mark.parametrize("name", ["m.pkl", "m.pth"])
def test_what_is_no_checkpoint_is_refused(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=f"{name} is no checkpoint"):
        read_checkpoint(tmp_path / name)


def test_a_file_of_pytorch_is_read(tmp_path):
    torch.save({"model": {"a": torch.ones(2)}, "iteration": 3}, tmp_path / "m.pth")
    assert read_checkpoint(tmp_path / "m.pth")["a"].tolist() == [1, 1]


@pytest.fixture(scope="module")
def state():
    return {name: torch.as_tensor(value) for name, value in arrays().items()}


def test_the_background_comes_first(state):
    ours = to_torchvision(state, HERE)
    head, theirs = "roi_heads.box_predictor.", state["roi_heads.box_predictor.cls_score.weight"]
    assert torch.equal(ours[head + "cls_score.weight"][0], theirs[-1])
    assert torch.equal(ours[head + "cls_score.weight"][1:], theirs[:-1])
    assert torch.equal(ours[head + "bbox_pred.weight"][4:], state[head + "bbox_pred.weight"])
    masks = "roi_heads.mask_predictor.mask_fcn_logits.weight"
    assert torch.equal(ours[masks][1:], state["roi_heads.mask_head.predictor.weight"])
    assert not ours[masks][0].any() and not ours[head + "bbox_pred.weight"][:4].any()


def test_constants_are_left_out(state):
    more = {**state, "pixel_mean": torch.ones(3), "proposal_generator.anchor_generator.cell_anchors.0": torch.ones(3)}
    assert set(without_constants(more)) == set(names())
    assert set(to_torchvision(more, HERE)) == set(to_torchvision(state, HERE))


def test_missing_and_unknown_names_are_told(state):
    other = dict(state)
    other["backbone.bottom_up.res4.23.conv1.weight"] = other.pop("backbone.fpn_lateral3.bias")
    with pytest.raises(
        InputError, match=r"zoo\.pkl.*lacks backbone\.fpn_lateral3\.bias and has unknown .*res4\.23\.conv1"
    ):
        to_torchvision(other, HERE)
    with pytest.raises(InputError, match="lacks a, b, c and 2 more"):
        compare_names(set("abcde"), set(), HERE)


def test_another_shape_is_told():
    model = torch.nn.Linear(3, 2)
    with pytest.raises(InputError, match=r"weight \(2, 4\) for \(2, 3\)"):
        load_strict(model, {"weight": torch.zeros(2, 4), "bias": torch.zeros(2)}, HERE)
    load_strict(model, {"weight": torch.ones(2, 3), "bias": torch.zeros(2)}, HERE)
    assert model.weight.sum() == 6

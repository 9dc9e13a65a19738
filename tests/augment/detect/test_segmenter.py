import logging

import numpy as np
import pytest

from m2m.augment.detect.segmenter import Instances, in_batches, pyramid, steady
from m2m.errors import InputError

torch = pytest.importorskip("torch")


def frames(n):
    return np.arange(n, dtype=np.uint8)[:, None, None, None].repeat(3, -1)


def seen(frame):
    return Instances(np.full((1, 5), frame.mean(), np.float32), np.zeros(1, int), np.ones((1, 1, 1), bool))


def test_batches_come_in_order():
    sizes = []

    def work(part):
        sizes.append(len(part))
        return [seen(frame) for frame in part]

    found = [instances.boxes[0, 0] for instances in in_batches(work, frames(7), 3)]
    assert found == list(range(7)) and sizes == [3, 3, 1]


def test_batches_stay_as_short_as_the_memory_wants():
    tried = []

    def work(part):
        tried.append(len(part))
        if len(part) > 2:
            raise torch.OutOfMemoryError("no memory")
        return [seen(frame) for frame in part]

    found = [instances.boxes[0, 0] for instances in in_batches(work, frames(12), 8)]
    assert found == list(range(12))
    assert tried[:2] == [8, 4] and set(tried[2:]) == {2}


def test_threads_and_gradients_are_as_before_afterwards():
    before = torch.get_num_threads()
    with pytest.raises(ZeroDivisionError), steady(torch.device("cpu"), before + 1):
        assert torch.get_num_threads() == before + 1 and torch.is_inference_mode_enabled()
        _ = 1 / 0
    assert torch.get_num_threads() == before and not torch.is_inference_mode_enabled()


def test_features_that_float16_cannot_hold_are_made_again_in_float32(caplog):
    images, types = torch.full((1, 3, 4, 4), 300.0), []

    def backbone(x):
        seen = x @ x  # 360000 at the end; float16 reaches 65504
        types.append(seen.dtype)
        return {"0": seen}

    with caplog.at_level(logging.WARNING):
        features = pyramid(backbone, images, half=True)
    assert types == [torch.float16, torch.float32] and "float32" in caplog.text
    assert torch.equal(features["0"], torch.full((1, 3, 4, 4), 360000.0))
    (small,) = pyramid(backbone, images / 100, half=True).values()
    assert types[2:] == [torch.float16] and small.dtype == torch.float32


def test_features_that_are_not_finite_are_an_error():
    with pytest.raises(InputError, match="not finite"):
        pyramid(lambda x: {"0": x / 0}, torch.ones(1, 3, 4, 4), half=False)

"""The embedded encoder describes what is in a picture, at length 1, and always alike."""

import cv2
import numpy as np
import pytest

from m2m.curate.encoder import EmbeddedEncoder, make_encoder
from m2m.curate.params import CurateParams
from tests.conftest import moving_blocks


def cosine(a, b):
    return float(a @ b)


def test_a_picture_is_nearer_to_a_darker_copy_of_itself_than_to_another():
    encoder = EmbeddedEncoder()
    one, other = moving_blocks(1, seed=1)[0], moving_blocks(1, seed=2)[0]
    vector, dark, another = encoder([one, (one * 0.9).astype(np.uint8), other], ["walk"] * 3)
    assert vector.shape == (420,) and vector.dtype == np.float32
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-6)
    assert cosine(vector, dark) > 0.95 > cosine(vector, another) + 0.15


def test_colour_alone_and_edges_alone_are_seen():
    encoder = EmbeddedEncoder()
    red, green = np.zeros((64, 64, 3), np.uint8), np.zeros((64, 64, 3), np.uint8)
    red[..., 0] = green[..., 1] = 180
    assert cosine(*encoder([red, green], ["", ""])) < 0.8
    upright = np.tile(np.arange(64, dtype=np.uint8)[None, :, None] // 8 % 2 * 255, (64, 1, 3))
    assert cosine(*encoder([upright, upright.transpose(1, 0, 2)], ["", ""])) < 0.8


def test_size_of_the_source_and_label_matter_little_and_nothing():
    encoder = EmbeddedEncoder()
    small = cv2.GaussianBlur(moving_blocks(1, size=(64, 64), seed=3)[0], (0, 0), 3)
    large = cv2.resize(small, (256, 256), interpolation=cv2.INTER_LINEAR)
    assert cosine(*encoder([small, large], ["a", "a"])) > 0.95
    first, second = encoder([small, small], ["a", "b"])
    assert np.array_equal(first, second)


def test_a_black_picture_has_a_vector_too():
    assert np.isfinite(make_encoder(CurateParams())([np.zeros((48, 64, 3), np.uint8)], ["walk"])).all()

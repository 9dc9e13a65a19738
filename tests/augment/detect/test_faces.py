"""CenterFace sees the same in the same picture, whatever it has looked at before."""

import numpy as np

from m2m.augment.detect.faces import CenterFace
from m2m.studio import ClipSpec, draw_clip


def test_pictures_of_other_sizes_in_between_change_nothing():
    frame = draw_clip(ClipSpec("wave", seed=1, seconds=0.1, height=200, heading=0)).frames[0]
    model = CenterFace()
    first = model.faces(frame, 0.3)
    assert len(first), "a face to be sure of: nothing found would always be the same"
    for k in range(1, 4):
        model.faces(np.ascontiguousarray(frame[: 240 - 24 * k, : 432 - 32 * k]), 0.3)
    assert np.array_equal(model.faces(frame, 0.3), first)

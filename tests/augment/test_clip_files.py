from fractions import Fraction

import av
import numpy as np
import pytest

from m2m.augment.clip_files import Format


def make(path, size, aspect=None):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        for t in range(5):
            image = np.full((size[1], size[0], 3), 40 * t, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    return path


@pytest.mark.parametrize(
    ("source", "aspect", "size", "stretch"),
    [
        ((320, 240), None, (432, 240), 1.35),
        ((432, 240), None, (432, 240), 1.0),
        ((640, 360), None, (432, 240), 1.0),  # a pixel or two at the edge
        ((320, 240), None, None, 1.0),
        ((240, 320), None, (432, 240), 2.4),
        ((320, 240), Fraction(27, 20), (432, 240), 1.0),  # pixels that are wide in the file already
        ((320, 240), Fraction(5, 4), None, 0.8),
    ],
)
def test_the_stretch_of_a_picture(tmp_path, source, aspect, size, stretch):
    form = Format.read(make(tmp_path / "a.mp4", source, aspect), size)
    assert form.stretch == pytest.approx(stretch)
    assert form.camera.stretch == form.stretch
    assert (form.camera.width, form.camera.height) == form.size
    assert Format.of(form.plain()) == form

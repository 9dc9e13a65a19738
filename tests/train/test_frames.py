"""Frames by their numbers are the same wherever they come from, and what is damaged or missing is said."""

import os
from dataclasses import replace
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest

from m2m import video
from m2m.errors import InfrastructureError, InputError
from m2m.train import frames as reading
from m2m.train.cache import FrameCache
from m2m.train.clips import open_set
from m2m.train.frames import Frames, covering, decode
from tests.train.toysets import INPUT, MODEL

SIZE = (96, 128)


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """Ninety frames with four key frames and B-frames, some of which others refer to."""
    return encode(tmp_path_factory.mktemp("film") / "film.mp4", {"x264-params": "keyint=25:bframes=3:b-pyramid=normal"})


def encode(path, options, codec="libx264", n=90, size=SIZE):
    rng = np.random.default_rng(0)
    scene = cv2.resize(rng.integers(0, 255, (12, 16, 3), np.uint8), (2 * size[1], size[0]))
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=Fraction(24), options=options)
        stream.width, stream.height, stream.pix_fmt = size[1], size[0], "yuv420p"
        for t in range(n):
            picture = np.ascontiguousarray(scene[:, t : t + size[1]])
            cv2.putText(picture, str(t), (20, 60), cv2.FONT_HERSHEY_SIMPLEX, 1.5, (255, 255, 255), 3)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def every_frame(path) -> list[np.ndarray]:
    """By FFmpeg alone, from the start to the end."""
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


@pytest.fixture
def pictures(monkeypatch):
    """Frames that the decoder gave, when only what is needed is decoded."""
    seen, needed = [], reading._needed

    def counted(*args):
        for frame in needed(*args):
            seen.append(frame.pts)
            yield frame

    monkeypatch.setattr(reading, "_needed", counted)
    return seen


@pytest.mark.parametrize("wanted", [[0], [89], [24, 25, 26], [49, 50, 74], range(30, 60, 4), range(90), [3, 80]])
def test_frames_found_directly_are_those_of_decoding_everything(film, pictures, wanted):
    whole = every_frame(film)
    assert len(whole) == 90
    found = decode(film, wanted, SIZE, 1.0, 90)
    assert sorted(found) == sorted(wanted) and all(np.array_equal(found[i], whole[i]) for i in wanted)
    assert pictures
    plain = decode(film, wanted, SIZE, 1.0)
    assert all(np.array_equal(plain[i], whole[i]) for i in wanted)


def test_little_is_decoded_for_a_few_frames(film, pictures):
    decode(film, [64], SIZE, 1.0, 90)
    assert len(pictures) < 12  # of 65: from the 50th on, without those to which no other refers


@pytest.mark.parametrize(
    ("name", "options", "codec"),
    [
        ("open.mp4", {"x264-params": "keyint=25:open-gop=1:bframes=3"}, "libx264"),
        ("refresh.mp4", {"x264-params": "keyint=25:intra-refresh=1"}, "libx264"),
        ("stamps.avi", {"x264-params": "keyint=25:bframes=3"}, "libx264"),
        ("film.mkv", {"x264-params": "keyint=25:bframes=3"}, "libx264"),
        ("film.ts", {"x264-params": "keyint=25:bframes=3"}, "libx264"),
        ("old.avi", {}, "mpeg4"),
        ("still.mp4", {"x264-params": "keyint=1"}, "libx264"),
    ],
)
def test_frames_are_exact_in_other_files(tmp_path, name, options, codec):
    path = encode(tmp_path / name, options, codec)
    whole = every_frame(path)
    for wanted in ([55, 60, 61], [0, 89], [26]):
        found = decode(path, wanted, SIZE, 1.0, len(whole))
        assert all(np.array_equal(found[i], whole[i]) for i in wanted)


def test_a_wrong_count_makes_the_file_be_decoded_from_its_start(film):
    whole = every_frame(film)
    assert np.array_equal(decode(film, [40], SIZE, 1.0, 80)[40], whole[40])


def test_large_frames_are_resized_by_areas(tmp_path):
    path = encode(tmp_path / "large.mp4", {"crf": "1"}, n=3, size=(480, 640))
    found = decode(path, [1], (96, 128), 1.0)[1]
    wanted = cv2.resize(every_frame(path)[1], (128, 96), interpolation=cv2.INTER_AREA)
    assert found.shape == (96, 128, 3)
    assert np.abs(found.astype(int) - wanted).mean() < 3


def test_decoded_frames_are_those_of_the_video(toys):
    path = toys / "videos" / "down_0.mp4"
    whole = np.stack([f.image for f in video.read(path)])
    found = np.stack(list(decode(path, None, (48, 72), 1.0).values()))
    assert found.shape == whole.shape == (12, 48, 72, 3)
    for i, frame in enumerate(found):  # the chroma of noise depends on the scaler, the frame does not
        far = np.abs(frame.astype(int) - whole).mean((1, 2, 3))
        assert far.argmin() == i and far[i] < 6
    some = decode(path, [7, 2, 2], (48, 72), 1.0)
    assert sorted(some) == [2, 7] and all(np.array_equal(some[i], found[i]) for i in some)


def test_frames_are_resized_to_cover_the_smallest_crop():
    assert covering((240, 432), (112, 112), 1.0) == (112, 202)
    assert covering((240, 432), (112, 112), 0.5) == (158, 285)
    assert covering((100, 100), (224, 224), 0.5) == (100, 100)


@pytest.mark.parametrize("damage", [lambda data: data[: len(data) // 2], lambda data: b"", lambda data: b"junk" * 99])
def test_a_broken_video_stops_training_with_its_name(toys, tmp_path, damage):
    path = tmp_path / "broken.mp4"
    path.write_bytes(damage((toys / "videos" / "down_0.mp4").read_bytes()))
    with pytest.raises(InputError, match=r"broken\.mp4"):
        decode(path, range(12), (32, 48), 1.0, 12)


def test_a_video_shorter_than_its_manifest_is_refused(toys):
    with pytest.raises(InputError, match="fewer frames"):
        decode(toys / "videos" / "down_0.mp4", [0, 30], (32, 48), 1.0, 31)


@pytest.mark.parametrize("cache", ["memory", "disk"])
def test_kept_frames_are_those_of_the_file(toys, tmp_path, cache):
    data = open_set(toys)
    plain, kept = (
        Frames(data, data.train, MODEL, replace(INPUT, cache=c, cache_folder=str(tmp_path / "frames")))
        for c in ("none", cache)
    )
    for _ in range(2):
        wanted, found = plain.take(2, [5, 9, 5]), kept.take(2, [5, 9, 5])
        assert sorted(found) == [5, 9] and all(np.array_equal(found[i], wanted[i]) for i in wanted)


@pytest.fixture
def kept(toys, tmp_path):
    """A folder of decoded frames with the first clip in it."""
    data = open_set(toys)
    params = replace(INPUT, cache="disk", cache_folder=str(tmp_path / "frames"))
    Frames(data, data.train, MODEL, params).take(0, [0])
    (file,) = (tmp_path / "frames").iterdir()
    return data, params, file


def test_frames_on_the_disk_are_not_decoded_again(kept, monkeypatch):
    data, params, _ = kept
    monkeypatch.setattr("m2m.train.frames.open_video", None)
    assert len(Frames(data, data.train, MODEL, params).take(0, [0, 11])) == 2


@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "header", "shape"])
def test_damaged_frames_on_the_disk_are_made_anew(kept, damage):
    data, params, file = kept
    good = file.read_bytes()
    bad = {"cut": good[:-1000], "flip": good[:5000] + bytes([good[5000] ^ 1]) + good[5001:], "empty": b""}
    bad |= {"header": good.replace(b"}", b" ", 1), "shape": good.replace(b", 3), }", b",3,1),}", 1)}
    file.write_bytes(bad[damage])
    frames = Frames(data, data.train, MODEL, params).take(0, range(12))
    plain = Frames(data, data.train, MODEL, replace(params, cache="none")).take(0, range(12))
    assert all(np.array_equal(frames[i], plain[i]) for i in plain)
    assert file.read_bytes() == good


def test_another_size_has_frames_of_its_own(kept):
    data, params, file = kept
    Frames(data, data.train, replace(MODEL, size=(16, 32)), params).take(0, [0])
    assert len(list(file.parent.iterdir())) == 2


def test_frames_go_into_the_folder_of_the_data_set(toys, tmp_path):
    (tmp_path / "videos").symlink_to(toys / "videos")
    data = open_set(toys)
    Frames(replace(data, folder=tmp_path), data.train, MODEL, replace(INPUT, cache="disk")).take(0, [0])
    assert len(list((tmp_path / ".m2m" / "frames").iterdir())) == 1


def test_too_little_room_is_said_before_anything_is_decoded(kept):
    data, params, _ = kept
    with pytest.raises(InputError, match=r"12 clips take .* cache_gib is 0\.0005"):
        Frames(data, data.train, MODEL, replace(params, cache_gib=0.0005))


def test_the_oldest_frames_of_other_clips_make_room(kept):
    data, _, file = kept
    cache = FrameCache(file.parent, MODEL.size, 1.0)
    others = [replace(data.train[0], sha256=str(i) * 64) for i in range(3)]
    for i, clip in enumerate(others):
        cache.add(clip, np.zeros((4, 8, 8, 3), np.uint8))
        time = 1000 + i
        os.utime(cache.path(clip), (time, time))
    size = cache.path(others[0]).stat().st_size
    room = file.stat().st_size + size + 10_000
    cache.reserve(others[:1], [10_000], room / 2**30)  # the first is wanted, so the second is the oldest
    assert [cache.path(clip).exists() for clip in others] == [True, False, True] and file.exists()


def test_a_disk_that_refuses_is_said(toys, tmp_path):
    data = open_set(toys)
    (tmp_path / "file").write_text("no folder")
    frames = Frames(data, data.train, MODEL, replace(INPUT, cache="disk", cache_folder=str(tmp_path / "file")))
    with pytest.raises(InfrastructureError, match="cannot write"):
        frames.take(0, [0])

"""Whatever lies in a file beside the pictures is found."""

import shutil
import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from m2m.audit.container import boxes, check_file, check_names
from tests.conftest import moving_blocks

NAME = "R6llTwEh07w"


@pytest.fixture
def clean(make_video) -> Path:
    return make_video("clean.mp4", n=10)


def remux(source: Path, target: Path, *, tags=None, stream_tags=None, audio=False, second=False) -> Path:
    """The same pictures in another file, with something added."""
    with av.open(str(source)) as read, av.open(str(target), "w", format="mp4") as write:
        write.metadata.update(tags or {})
        video = write.add_stream_from_template(read.streams.video[0])
        video.metadata.update(stream_tags or {})
        copies = [video] + ([write.add_stream_from_template(read.streams.video[0])] if second else [])
        sound = write.add_stream("aac", rate=16000) if audio else None
        for packet in read.demux(read.streams.video[0]):
            if packet.dts is None:
                continue
            data, pts, dts, base = bytes(packet), packet.pts, packet.dts, packet.time_base
            for stream in copies:
                again = av.Packet(data)
                again.pts, again.dts, again.time_base, again.stream = pts, dts, base, stream
                again.is_keyframe = packet.is_keyframe
                write.mux(again)
        if sound is not None:
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 16000, 0
            write.mux(sound.encode(frame))
            write.mux(sound.encode(None))
    return target


def why(check) -> str:
    assert check.ok is False
    return check.figures["why"]


def patched(source: Path, target: Path, change) -> Path:
    data = bytearray(source.read_bytes())
    target.write_bytes(bytes(change(data) or data))
    return target


def content(data: bytes, kind: bytes) -> slice:
    box = next(b for b in boxes(bytes(data)) if b.kind == kind)
    return slice(box.start, box.stop)


def test_what_m2m_writes_is_clean(clean):
    assert check_file(clean).ok is True
    assert check_names(clean, (NAME, "P001S05")).ok is True


def test_clips_of_any_rate_and_kind_of_time_are_clean(make_video, tmp_path):
    assert check_file(make_video("ntsc.mp4", n=40, fps=Fraction(30000, 1001))).ok is True
    path = tmp_path / "uneven.mp4"
    from m2m.video import VideoParams, Writer

    with Writer(path, (96, 64), Fraction(25), VideoParams(), time_base=Fraction(1, 1000)) as writer:
        for tick, frame in zip((0, 40, 93, 120), moving_blocks(4), strict=True):
            writer.write(frame, Fraction(tick, 1000))
    assert check_file(path).ok is True


def test_a_sound_track_is_found(clean, tmp_path):
    assert "video, audio" in why(check_file(remux(clean, tmp_path / "x.mp4", audio=True)))


def test_a_second_picture_is_found(clean, tmp_path):
    assert "video, video" in why(check_file(remux(clean, tmp_path / "x.mp4", second=True)))


@pytest.mark.parametrize("key", ["title", "comment", "location", "encoder"])
def test_a_tag_is_found(clean, tmp_path, key):
    path = remux(clean, tmp_path / "x.mp4", tags={key: "+52.5+013.4/"})
    assert check_file(path).ok is False


def test_a_tag_of_the_stream_is_found(clean, tmp_path):
    assert "Alice's phone" in why(
        check_file(remux(clean, tmp_path / "x.mp4", stream_tags={"handler_name": "Alice's phone"}))
    )


def test_a_date_is_found(clean, tmp_path):
    def date(data):
        at = content(data, b"mvhd").start
        data[at + 4 : at + 8] = struct.pack(">I", 3_800_000_000)

    assert "date" in why(check_file(patched(clean, tmp_path / "x.mp4", date)))


def test_bytes_that_no_index_names_are_found(clean, tmp_path):
    hidden = bytes(range(64))
    assert "after the last box" in why(check_file(patched(clean, tmp_path / "a.mp4", lambda d: d + b"abc")))
    box = struct.pack(">I4s", 8 + 64, b"uuid") + hidden
    assert "'uuid'" in why(check_file(patched(clean, tmp_path / "b.mp4", lambda d: d + box)))
    free = struct.pack(">I4s", 8 + 64, b"free") + hidden
    assert "free space" in why(check_file(patched(clean, tmp_path / "c.mp4", lambda d: d + free)))
    media = struct.pack(">I4s", 8 + 64, b"mdat") + hidden
    assert "of which the index names" in why(check_file(patched(clean, tmp_path / "d.mp4", lambda d: d + media)))


def test_other_codecs_and_broken_files_are_found(tmp_path, clean):
    other = tmp_path / "x.mp4"
    with av.open(str(other), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for frame in moving_blocks(5):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode(None))
    assert "mpeg4" in why(check_file(other))
    cut = patched(clean, tmp_path / "cut.mp4", lambda d: d[: len(d) // 2])
    assert check_file(cut).ok is False
    assert check_file(tmp_path / "absent.mp4").ok is False


@pytest.mark.parametrize("name", [NAME, NAME.upper()])
def test_a_source_name_in_a_tag_is_found(clean, tmp_path, name):
    path = remux(clean, tmp_path / "x.mp4", tags={"title": f"from {name}.mp4"})
    assert NAME in why(check_names(path, (NAME,)))


def test_a_source_name_is_found_in_wide_letters_and_among_the_pictures(clean, tmp_path):
    wide = struct.pack(">I4s", 8 + 2 * len(NAME), b"uuid") + NAME.encode("utf-16-be")
    assert check_names(patched(clean, tmp_path / "a.mp4", lambda d: d + wide), (NAME,)).ok is False

    def in_pictures(data):
        at = content(data, b"mdat").stop
        data[at - 30 : at - 30 + len(NAME)] = NAME.encode()

    assert check_names(patched(clean, tmp_path / "b.mp4", in_pictures), (NAME,)).ok is False


def test_a_clip_may_be_called_as_the_encoder_calls_its_parts(clean):
    assert check_names(clean, ("video", "isom")).ok is True


def test_names_too_short_to_look_for_are_said_not_to_be_checked(clean):
    assert check_names(clean, ("a", "b12")).ok is None


def test_a_file_that_was_copied_by_another_program_is_told_from_ours(ffmpeg, clean, tmp_path):
    shutil.copy(clean, tmp_path / "same.mp4")
    assert check_file(tmp_path / "same.mp4").ok is True
    ffmpeg("-i", clean, "-c", "copy", "-metadata", "creation_time=2020-01-01T00:00:00Z", tmp_path / "x.mp4")
    assert check_file(tmp_path / "x.mp4").ok is False

"""Videos are read whole or refused, and written whole or not at all; ffmpeg and ffprobe are the witnesses."""

import dataclasses
import shutil
import subprocess
import sys
from fractions import Fraction

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from m2m.errors import InfrastructureError, QuarantineError
from m2m.video import VideoParams, Writer, picture, probe, read, resize
from tests.conftest import moving_blocks

# Decoded counts; the container of the first two announces one frame more.
REAL = {
    "SchoolRulesHowTheyHelpUs_wave_f_nm_np1_ba_med_0.avi": (320, 240, Fraction(30), 74, False),
    "TrumanShow_wave_f_nm_np1_fr_med_26.avi": (432, 240, Fraction(30), 48, False),
    "apply_eye_makeup.avi": (320, 240, Fraction(25), 164, True),
    "arm_wrestling.mp4": (340, 256, Fraction(28), 280, False),
    "schoolgirls.mp4": (432, 240, Fraction(24), 80, False),
    "tai_chi.mp4": (340, 256, Fraction(30000, 1001), 300, False),
    "v_SoccerJuggling_g24_c01.avi": (320, 240, Fraction(30000, 1001), 251, False),
}


def refused(path, message, **options):
    with pytest.raises(QuarantineError, match=message) as caught:
        for _ in read(path, **options):
            pass
    assert caught.value.reason == "unreadable"
    assert path.name in caught.value.what
    return caught.value


@pytest.mark.parametrize("name", REAL)
def test_real_clips_are_read_whole(shared, name):
    info = probe(shared / "clips" / name, count=True)
    assert (info.width, info.height, info.fps, info.n_frames, info.has_audio) == REAL[name]
    assert not info.variable


def test_frames_are_those_of_ffmpeg(shared, ffmpeg, tmp_path):
    path = shared / "clips" / "v_SoccerJuggling_g24_c01.avi"
    flags = "flags=bicubic+accurate_rnd+full_chroma_int+bitexact"
    ffmpeg(
        "-i", path, "-frames:v", 20, "-vf", f"scale={flags}", "-pix_fmt", "rgb24", "-f", "rawvideo", tmp_path / "raw"
    )
    want = np.fromfile(tmp_path / "raw", np.uint8).reshape(-1, 240, 320, 3)
    for frame, reference in zip(read(path), want, strict=False):
        assert np.abs(frame.image.astype(int) - reference).mean() < 0.5, frame.index


def test_a_picture_is_the_frame_that_reading_gives(make_video):
    path = make_video(n=6)
    for size in (None, (40, 30)):
        for frame in read(path, size):
            assert np.array_equal(picture(path, frame.index, size), frame.image)
    with pytest.raises(QuarantineError, match="has no frame 6"):
        picture(path, 6)


def test_time_stamps_of_avi_with_b_frames_go_forward(shared):
    frames = list(read(shared / "clips" / "apply_eye_makeup.avi", (64, 48)))
    assert [f.pts for f in frames] == [Fraction(i, 25) for i in range(164)]
    assert [f.index for f in frames] == list(range(164))


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("zero.mp4", b"", "empty"),
        ("text.mp4", b"this is not a video\n" * 100, "not a video file"),
        (
            "playlist.mp4",
            b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n/etc/hostname\n#EXT-X-ENDLIST\n",
            "not a video",
        ),
    ],
)
def test_what_is_no_video_is_refused(tmp_path, name, data, message):
    (tmp_path / name).write_bytes(data)
    refused(tmp_path / name, message)
    with pytest.raises(QuarantineError, match=message):
        probe(tmp_path / name)


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    refused(tmp_path / "none.mp4", "no such file")
    (tmp_path / "folder.mp4").mkdir()
    refused(tmp_path / "folder.mp4", "no such file")


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_a_picture_named_mp4_is_refused(tmp_path, suffix):
    data = cv2.imencode(suffix, moving_blocks(1)[0])[1].tobytes()
    (tmp_path / "picture.mp4").write_bytes(data)
    refused(tmp_path / "picture.mp4", "not a video file")


def test_sound_alone_and_sound_with_a_cover_are_refused(tmp_path, ffmpeg):
    ffmpeg("-f", "lavfi", "-i", "sine=d=1", "-c:a", "aac", tmp_path / "sound.mp4")
    refused(tmp_path / "sound.mp4", "no moving picture")
    cv2.imwrite(str(tmp_path / "cover.jpg"), moving_blocks(1)[0])
    cover = ("-map", "0", "-map", "1", "-c:a", "aac", "-c:v", "mjpeg", "-disposition:v", "attached_pic")
    ffmpeg("-i", tmp_path / "sound.mp4", "-i", tmp_path / "cover.jpg", *cover, tmp_path / "cover.m4a")
    shutil.move(tmp_path / "cover.m4a", tmp_path / "cover.mp4")
    refused(tmp_path / "cover.mp4", "no moving picture")


@pytest.mark.parametrize("name", ["v_SoccerJuggling_g24_c01.avi", "schoolgirls.mp4", "tai_chi.mp4"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_truncated_file_is_refused(shared, tmp_path, name, share):
    data = (shared / "clips" / name).read_bytes()
    (tmp_path / name).write_bytes(data[: int(len(data) * share)])
    refused(tmp_path / name, "ends after|decoding stopped|not a video file|reading stopped|only|stored whole")


@pytest.mark.parametrize("container", ["mkv", "webm", "flv", "wmv", "avi"])
def test_a_file_of_another_container_is_read_whole_and_refused_when_truncated(tmp_path, ffmpeg, container):
    path = tmp_path / f"clip.{container}"
    source = ("-f", "lavfi", "-i", "testsrc2=s=96x64:r=30000/1001:d=2", "-f", "lavfi", "-i", "sine=d=2.1")
    ffmpeg(*source, *(("-c:v", "libvpx") if container == "webm" else ()), "-b:v", "400k", path)
    info = probe(path, count=True)
    assert (info.width, info.height, info.n_frames, info.has_audio) == (96, 64, 60, True)
    assert not info.variable and info.fps == Fraction(30000, 1001)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    refused(path, "ends after|announces no length|end is missing|stored whole|were found")


def test_an_avi_with_dropped_frames_is_refused_rather_than_played_faster(tmp_path, ffmpeg):
    path = tmp_path / "dropped.avi"
    drop = ("-vf", "select='not(mod(n,3))'", "-vsync", "vfr", "-r", 30)
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=96x64:r=30:d=3", *drop, "-c:v", "mpeg4", path)
    refused(path, "ends after 1.* of the 3|ends after 1.* of the 2.9")


def test_damage_in_the_middle_is_refused_and_names_the_frame(tmp_path, make_video):
    path = make_video(n=60)
    data = bytearray(path.read_bytes())
    start = data.index(b"mdat") + (len(data) - data.index(b"mdat")) // 2
    data[start : start + 600] = b"\xff" * 600
    path.write_bytes(data)
    error = refused(path, "decoding stopped at frame")
    assert 0 < error.evidence["frame"] < 60


def test_one_frame_is_a_video(make_video):
    path = make_video(n=1)
    frames = list(read(path))
    assert [f.pts for f in frames] == [0]
    assert probe(path, count=True).n_frames == 1


def test_odd_sizes_lose_one_row_and_column(tmp_path):
    path = tmp_path / "odd.mkv"
    pictures = moving_blocks(3, (97, 65))
    with Writer(path, (97, 65), Fraction(10), lossless=True) as writer:
        for picture in pictures:
            writer.write(picture)
    info = probe(path)
    assert (info.width, info.height) == (97, 65)
    for frame, picture in zip(read(path), pictures, strict=True):
        assert np.array_equal(frame.image, picture[:64, :96])


# The matrix in an MP4's track header for a picture to be turned so many degrees counterclockwise.
ONE, MINUS = b"\x00\x01\x00\x00", b"\xff\xff\x00\x00"
ZERO, LAST = b"\x00" * 4, b"\x40\x00\x00\x00"
MATRIX = {
    0: ONE + ZERO + ZERO + ZERO + ONE + ZERO + ZERO + ZERO + LAST,
    90: ZERO + MINUS + ZERO + ONE + ZERO + ZERO + ZERO + ZERO + LAST,
    180: MINUS + ZERO + ZERO + ZERO + MINUS + ZERO + ZERO + ZERO + LAST,
    270: ZERO + ONE + ZERO + MINUS + ZERO + ZERO + ZERO + ZERO + LAST,
}


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_rotation_is_applied_as_ffmpeg_applies_it(tmp_path, make_video, ffmpeg, degrees):
    path = make_video(n=3)
    upright = [f.image for f in read(path)]
    data = path.read_bytes()
    at = data.index(MATRIX[0], data.index(b"tkhd"))
    path.write_bytes(data[:at] + MATRIX[degrees] + data[at + 36 :])
    info, frames = probe(path), [f.image for f in read(path)]
    assert info.rotation == degrees
    assert (info.width, info.height) == ((64, 96) if degrees != 180 else (96, 64))
    for frame, image in zip(frames, upright, strict=True):
        assert np.array_equal(frame, np.rot90(image, degrees // 90))
    ffmpeg("-i", path, "-frames:v", 1, "-pix_fmt", "rgb24", "-f", "rawvideo", tmp_path / "raw")
    reference = np.fromfile(tmp_path / "raw", np.uint8).reshape(frames[0].shape)
    right = np.abs(frames[0].astype(int) - reference).mean()
    wrong = np.abs(np.rot90(frames[0], 2).astype(int) - reference).mean()
    assert right < wrong / 5


def test_metadata_that_is_not_utf8_is_no_obstacle(tmp_path, ffmpeg):
    path = tmp_path / "latin.avi"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=96x64:r=10:d=1", "-metadata", "title=TITLETITLE", path)
    data = path.read_bytes()
    assert b"TITLETITLE" in data
    path.write_bytes(data.replace(b"TITLETITLE", b"caf\xe9 \xfc\xff\xfe\xe0."))
    assert probe(path, count=True).n_frames == 10


def test_names_that_look_like_protocols_or_options(make_video):
    for name in ("concat:a.mp4", "-i.mp4", "a b'\"\n.mp4", "ü日本.mp4", "%03d.mp4"):
        assert probe(make_video(name, n=2), count=True).n_frames == 2


@pytest.mark.parametrize(
    "rate", [Fraction(30000, 1001), Fraction(25, 2), Fraction(24), Fraction(24000, 1001), Fraction(15)]
)
def test_the_frame_rate_and_count_are_written_exactly(make_video, ffprobe, rate):
    path = make_video(n=31, fps=rate)
    info = probe(path, count=True)
    assert (info.fps, info.n_frames, info.variable) == (rate, 31, False)
    assert Fraction(ffprobe(path, "r_frame_rate")) == rate
    assert Fraction(ffprobe(path, "avg_frame_rate")) == rate
    assert int(ffprobe(path, "nb_read_frames")) == 31


def test_only_the_picture_is_written_and_tagged_as_what_it_is(make_video, ffprobe):
    path = make_video()
    assert ffprobe(path, "codec_name,pix_fmt").split() == ["h264", "yuv420p"]
    tags = ffprobe(path, "color_range,color_space,color_transfer,color_primaries").split()
    assert tags == ["tv", "smpte170m", "bt709", "bt709"]
    assert ffprobe(path, "nb_streams", "format") == "1"
    assert ffprobe(path, "format_tags=creation_time,encoder,title,comment", "format").count("TAG") == 0
    raw = path.read_bytes()
    assert b"Lavf" not in raw and b"Lavc" not in raw
    assert raw.index(b"moov") < raw.index(b"mdat")


def test_colours_round_trip_here_and_in_ffmpeg(tmp_path, ffmpeg):
    colours = [
        (255, 0, 0),
        (0, 255, 0),
        (0, 0, 255),
        (255, 255, 0),
        (128, 128, 128),
        (200, 120, 40),
        (255, 255, 255),
        (0, 0, 0),
    ]
    path = tmp_path / "flat.mp4"
    with Writer(path, (32, 32), Fraction(5), VideoParams(crf=0)) as writer:
        for colour in colours:
            writer.write(np.full((32, 32, 3), colour, np.uint8))
    ffmpeg("-i", path, "-pix_fmt", "rgb24", "-f", "rawvideo", tmp_path / "raw")
    reference = np.fromfile(tmp_path / "raw", np.uint8).reshape(-1, 32, 32, 3)
    for frame, other, colour in zip(read(path), reference, colours, strict=True):
        assert np.abs(frame.image.astype(int) - colour).max() <= 2, colour
        assert np.abs(other.astype(int) - colour).max() <= 4, colour


def test_the_same_frames_give_the_same_bytes(make_video):
    one, two, other = make_video("1.mp4"), make_video("2.mp4"), make_video("3.mp4", seed=1)
    assert one.read_bytes() == two.read_bytes() != other.read_bytes()
    one, two = make_video("1.mkv", lossless=True), make_video("2.mkv", lossless=True)
    assert one.read_bytes() == two.read_bytes()


def test_lossless_is_lossless(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (5, 48, 64, 3)).astype(np.uint8)
    with Writer(tmp_path / "plate.mkv", (64, 48), Fraction(30000, 1001), lossless=True) as writer:
        for image in noise:
            writer.write(image)
    assert np.array_equal(np.stack([f.image for f in read(tmp_path / "plate.mkv")]), noise)
    assert probe(tmp_path / "plate.mkv").fps == Fraction(30000, 1001)


def test_variable_frame_rates_keep_their_time_stamps(tmp_path, ffprobe):
    base, ticks = Fraction(1, 90000), [0, 3000, 9000, 10500, 30000, 31000, 40000, 90000]
    path = tmp_path / "variable.mp4"
    with Writer(path, (96, 64), Fraction(8), VideoParams(preset="ultrafast"), time_base=base) as writer:
        for tick, frame in zip(ticks, moving_blocks(8), strict=True):
            writer.write(frame, tick * base)
    info = probe(path)
    assert info.variable
    assert [f.pts for f in read(path)] == [t * base for t in ticks]
    seconds = [float(s) for s in ffprobe(path, "pts_time", "frame").split()]
    assert seconds == pytest.approx([t / 90000 for t in ticks], abs=1e-5)
    again = tmp_path / "again.mp4"
    with Writer(again, (96, 64), info.fps, VideoParams(preset="ultrafast"), time_base=info.time_base) as writer:
        for frame in read(path):
            writer.write(frame.image, frame.pts)
    assert [f.pts for f in read(again)] == [t * base for t in ticks]


def test_a_failed_block_leaves_nothing_and_keeps_what_was_there(tmp_path):
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"before")
    with pytest.raises(KeyError), Writer(path, (96, 64), Fraction(30)) as writer:
        writer.write(moving_blocks(1)[0])
        raise KeyError
    with pytest.raises(QuarantineError, match="no frame"), Writer(path, (96, 64), Fraction(30)):
        pass
    assert [p.name for p in tmp_path.iterdir()] == ["clip.mp4"] and path.read_bytes() == b"before"


def test_wrong_frames_are_programming_errors(tmp_path):
    with pytest.raises(ValueError, match="even"):
        Writer(tmp_path / "a.mp4", (95, 64), Fraction(30))
    for wrong in (np.zeros((64, 95, 3), np.uint8), np.zeros((64, 96, 3), np.float32), np.zeros((64, 96), np.uint8)):
        with (
            pytest.raises(ValueError, match="must be 64x96x3"),
            Writer(tmp_path / "a.mp4", (96, 64), Fraction(30)) as w,
        ):
            w.write(wrong)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_made_is_the_machines_fault(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(InfrastructureError, match="MiB free"):
        Writer(tmp_path / "file" / "a.mp4", (96, 64), Fraction(30))


def test_parameters_are_checked_and_threads_are_part_of_them():
    for wrong in ({"crf": 52}, {"preset": "placebo!"}, {"threads": 0}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            VideoParams(**wrong)
    assert dataclasses.asdict(VideoParams())["threads"] == 2


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 40), st.integers(1, 40), st.integers(0, 255))
def test_resizing_gives_the_size_and_keeps_a_flat_colour(height, width, to_height, to_width, grey):
    out = resize(np.full((height, width, 3), grey, np.uint8), (to_width, to_height))
    assert out.shape == (to_height, to_width, 3) and (out == grey).all() and out.flags.c_contiguous


def test_shrinking_averages_areas():
    image = np.random.default_rng(0).integers(0, 256, (40, 60, 3)).astype(np.uint8)
    means = image.reshape(10, 4, 15, 4, 3).mean((1, 3))
    assert np.abs(resize(image, (15, 10)) - means).max() <= 1


def test_memory_does_not_grow_with_the_length(tmp_path, make_video):
    path = make_video(n=300, size=(640, 480))
    code = (
        "import resource, sys; from pathlib import Path; from m2m.video import read\n"
        "frames = read(Path(sys.argv[1])); next(frames)\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "n = sum(1 for _ in frames)\n"
        "print(n, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    out = subprocess.run([sys.executable, "-c", code, str(path)], check=True, capture_output=True, text=True).stdout
    n, grown = map(int, out.split())
    assert n == 299 and grown < 60_000, "300 frames would take 270 MB"

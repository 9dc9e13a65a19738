"""No file makes a reader open another one, take more memory than stated, or paint over what is missing."""

import struct
from fractions import Fraction

import av
import pytest

from m2m.audit.container import check_file
from m2m.chains import broken, ffv1_is_whole
from m2m.container import MOST_PIXELS, open_container, open_video
from m2m.errors import InputError, QuarantineError
from m2m.train.frames import decode
from m2m.video import Writer, probe, read
from tests.conftest import moving_blocks
from tests.fuzz.odd import ODD

LISTS = {
    "hls": "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:1\n#EXTINF:1.0,\n{}\n#EXT-X-ENDLIST\n",
    "concat": "ffconcat version 1.0\nfile {}\n",
    "mpd": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
    'mediaPresentationDuration="PT1S" minBufferTime="PT1S" profiles="urn:mpeg:dash:profile:isoff-on-demand:2011">'
    '<Period><AdaptationSet contentType="video" mimeType="video/mp4"><Representation id="1" bandwidth="1" width="96" '
    'height="64"><BaseURL>{}</BaseURL></Representation></AdaptationSet></Period></MPD>',
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n"
    "a=rtpmap:96 H264/90000\n",
}


@pytest.mark.parametrize(
    ("kind", "suffix"), [("hls", "mp4"), ("hls", "m3u8"), ("concat", "mp4"), ("mpd", "mp4"), ("sdp", "mp4")]
)
def test_a_list_of_other_files_is_refused_by_everything_that_decodes(tmp_path, make_video, kind, suffix):
    other = make_video("other.ts" if kind == "hls" else "other.mp4", n=5)
    path = tmp_path / f"list.{suffix}"
    path.write_text(LISTS[kind].format(other.name))
    for look in (lambda: probe(path, count=True), lambda: next(read(path))):
        with pytest.raises(QuarantineError, match="not a video file"):
            look()
    with pytest.raises(InputError, match="not a video file"):
        decode(path, [0], (32, 32), 1.0)
    check = check_file(path)
    assert not check.ok and "not a video file" in check.figures["why"]


def with_bytes(path, at, new):
    """The file with other bytes at a place."""
    data = bytearray(path.read_bytes())
    data[at : at + len(new)] = new
    path.write_bytes(data)


def refused(path, why):
    with pytest.raises(QuarantineError, match=why):
        probe(path, count=True)
    with pytest.raises(QuarantineError, match=why):
        list(read(path))


def written(path, codec, kind="yuv420p", n=10, **options):
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = 96, 64, kind
        for image in moving_blocks(n):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format=kind)))
        out.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("name", ["clip.mp4", "clip.avi", "clip.mkv"])
def test_a_damaged_picture_is_refused_and_not_painted_over(tmp_path, name):
    path = written(tmp_path / name, "mpeg4")
    assert probe(path, count=True).n_frames == 10
    data = path.read_bytes()
    start = data.index(b"\0\0\1\xb6") + 40  # in the first picture
    with_bytes(path, start, bytes(b ^ 0x55 for b in data[start : start + 30]))
    refused(path, "frame 0")


def test_a_picture_that_changes_its_size_is_refused(tmp_path):
    ODD["two_sizes.mov"].make(tmp_path / "two.mov")
    refused(tmp_path / "two.mov", "change from 64x64 to 128x128 at frame 2")


def test_a_plate_whose_checksum_is_wrong_is_refused(tmp_path):
    path = tmp_path / "plate.mkv"
    with Writer(path, (96, 64), Fraction(10), lossless=True) as writer:
        for image in moving_blocks(6):
            writer.write(image)
    with open_container(path) as container:
        packets = [bytes(p) for p in container.demux() if p.size]
    assert len(packets) == 6 and all(map(ffv1_is_whole, packets))
    for at in range(0, len(packets[2]), 37):
        assert not ffv1_is_whole(packets[2][:at] + bytes([packets[2][at] ^ 4]) + packets[2][at + 1 :])
    with_bytes(path, path.read_bytes().index(packets[3]) + len(packets[3]) // 2, b"\x5a\xa5")
    refused(path, "picture 3 was not stored whole")


def test_slices_without_checksums_are_taken(tmp_path):
    path = written(tmp_path / "plain.mkv", "ffv1", "bgr0", level="3", slices="4", slicecrc="0")
    assert probe(path, count=True).n_frames == 10


def test_what_ffmpeg_skips_in_silence_is_refused(tmp_path):
    stream = written(tmp_path / "clip.ts", "libx264", n=30)
    data = stream.read_bytes()
    assert probe(stream, count=True).n_frames == 30
    stream.write_bytes(data[: 188 * 20] + data[188 * 23 :])
    refused(stream, "what lies at byte|stored whole|decoding stopped")
    assert broken(stream, "mpegts") is not None
    film = written(tmp_path / "clip.mkv", "libx264", n=30)
    data, block = film.read_bytes(), b"\xa3"
    with open_container(film) as container:
        third = [bytes(p) for p in container.demux() if p.size][3]
    at = data.index(third) - 8
    assert block in data[at - 2 : at + 8]
    with_bytes(film, at - 2, bytes(10))
    assert broken(film, "matroska,webm") is not None
    flash = written(tmp_path / "clip.flv", "flv", n=10)
    assert broken(flash, "flv") is None
    flash.write_bytes(flash.read_bytes()[:-300])
    refused(flash, "what lies at byte|ends after|stored whole")


def test_a_picture_that_was_never_written_is_refused(tmp_path):
    path = written(tmp_path / "clip.mp4", "libx264", preset="ultrafast")
    with open_container(path) as container:
        first = next(bytes(p) for p in container.demux() if p.size)
    assert len(first) > 200
    with_bytes(path, path.read_bytes().index(first) + len(first) - 90, bytes(80))
    refused(path, "picture 0 was not stored whole")


def test_the_last_picture_may_not_be_missing(tmp_path, make_video):
    path = make_video(n=200)  # one of 200 is less than containers may be wrong by in seconds
    data = bytearray(path.read_bytes())
    at = data.index(b"stsz") + 4 + 4 + 4 + 4 + 4 * 199
    assert struct.unpack_from(">I", data, at)[0] > 0
    path.write_bytes(data[:at] + bytes(4) + data[at + 4 :])
    refused(path, "it announces 200 pictures, and 199 were found")


def test_a_picture_of_more_than_the_stated_pixels_is_refused_before_it_is_decoded(tmp_path, monkeypatch):
    assert MOST_PIXELS >= 8192 * 4320
    path = written(tmp_path / "clip.mp4", "libx264")
    monkeypatch.setattr("m2m.container.MOST_PIXELS", 96 * 64 - 1)
    with pytest.raises(QuarantineError, match="96x64 pixels is too large, 6143 are decoded"), open_video(path):
        pass
    monkeypatch.undo()
    ODD["bomb_jpeg.mov"].make(tmp_path / "bomb.mov")  # its header says 64x64
    refused(tmp_path / "bomb.mov", f"stopped at frame 0: .* {MOST_PIXELS} pixels at most")


def test_a_jpeg_of_which_a_segment_is_lost_is_refused(tmp_path):
    path = written(tmp_path / "clip.mov", "mjpeg", "yuvj420p")
    assert probe(path, count=True).n_frames == 10
    data = path.read_bytes()
    third = [at for at in range(len(data)) if data[at : at + 2] == b"\xff\xc0"][2]
    with_bytes(path, third, b"\xff\xcb")
    refused(path, "picture 2 was not stored whole")


def test_a_damaged_header_of_a_matroska_file_is_refused(tmp_path):
    path = written(tmp_path / "clip.mkv", "libx264")
    data = path.read_bytes()  # the picture's part, 0xE0, begins with its width and height, after a random number
    at = data.rindex(b"\xe0", 0, data.index(bytes([0xB0, 0x81, 96, 0xBA, 0x81, 64])))
    assert broken(path, "matroska,webm") is None
    with_bytes(path, at + 1, b"\x88")  # the length of what says how large the picture is
    assert "no part of it" in str(broken(path, "matroska,webm"))

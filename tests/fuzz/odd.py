"""Files that are no whole video of a usual kind: other things under a video's name, bombs, odd shapes and rates."""

import io
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from m2m.video import VideoParams, Writer

HUGE = 16384
"""Side of a picture that is announced, and takes 800 megabytes as RGB."""


@dataclass(frozen=True)
class Odd:
    """A file and what must become of it.

    Attributes:
        make: Writes it.
        frames: Pictures that must be read; None: it must be refused.
        slow: Too much for a test: it takes seconds to make.
    """

    make: Callable[[Path], None]
    frames: int | None = None
    slow: bool = False


def text(value: str) -> Odd:
    """A file of text."""
    return Odd(lambda path: path.write_text(value) and None)


def data(value: bytes) -> Odd:
    """A file of bytes."""
    return Odd(lambda path: path.write_bytes(value) and None)


def _zip() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("clip.mp4", bytes(1 << 20))
    return file.getvalue()


def _picture(size: tuple[int, int], t: int, kind: str) -> av.VideoFrame:
    width, height = size
    image = np.zeros((height, width, 3), np.uint8)
    image[:, : 1 + t * max(1, width // 16) % width] = (90, 160, (30 + t) % 256)
    return av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format=kind)


def film(
    codec: str = "libx264",
    container: str = "mp4",
    size: tuple[int, int] = (96, 64),
    kind: str = "yuv420p",
    n: int = 8,
    rate: Fraction = Fraction(25),
    options: dict[str, str] | None = None,
    frames: int | None = -1,
    slow: bool = False,
) -> Odd:
    """A video of `n` pictures; `frames` are expected of it, all by default."""

    def make(path: Path) -> None:
        preset = {"preset": "ultrafast"} if codec == "libx264" else {}
        with av.open(str(path), "w", format=container) as out:
            stream = out.add_stream(codec, rate=rate, options={**preset, **(options or {})})
            stream.width, stream.height, stream.pix_fmt = *size, kind
            stream.codec_context.thread_count = 1
            for t in range(n):
                out.mux(stream.encode(_picture(size, t, kind)))
            out.mux(stream.encode(None))

    return Odd(make, n if frames == -1 else frames, slow)


def _clip(path: Path, n: int = 8, size: tuple[int, int] = (96, 64)) -> bytes:
    with Writer(path, size, Fraction(25), VideoParams(preset="ultrafast")) as writer:
        for t in range(n):
            writer.write(_picture(size, t, "rgb24").to_ndarray(format="rgb24"))
    return path.read_bytes()


def _jpeg_bomb(path: Path) -> None:
    """Each picture says that it is of 16384x16384 pixels, in a few hundred bytes."""
    small = cv2.imencode(".jpg", np.zeros((64, 64, 3), np.uint8))[1].tobytes()
    at = small.index(b"\xff\xc0")
    _packets(path, "mjpeg", small[: at + 5] + struct.pack(">HH", HUGE, HUGE) + small[at + 9 :])


def _png_bomb(path: Path) -> None:
    """Each picture is 800 megabytes of black, in less than one."""
    rows, packer = bytes(1 + 3 * HUGE), zlib.compressobj(9)
    body = b"".join(packer.compress(rows) for _ in range(HUGE)) + packer.flush()

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", HUGE, HUGE, 8, 2, 0, 0, 0))
    _packets(path, "png", b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", body) + chunk(b"IEND", b""))


def _packets(path: Path, codec: str, *pictures: bytes) -> None:
    with av.open(str(path), "w", format="mov") as out:
        stream = out.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuvj420p" if codec == "mjpeg" else "rgb24"
        stream.codec_context.thread_count = 1
        for t, picture in enumerate(pictures):
            packet = av.Packet(picture)
            packet.stream, packet.pts, packet.dts, packet.time_base = stream, t, t, Fraction(1, 25)
            out.mux(packet)


def _two_sizes(path: Path) -> None:
    """The picture becomes larger in the middle."""
    pictures = [cv2.imencode(".jpg", np.full((side, side, 3), side, np.uint8))[1].tobytes() for side in (64, 64, 128)]
    _packets(path, "mjpeg", *pictures)


def _patched(path: Path, kind: bytes, at: int, value: bytes) -> None:
    content = bytearray(_clip(path))
    start = content.index(kind) + 4 + at
    content[start : start + len(value)] = value
    path.write_bytes(content)


def _years(path: Path) -> None:
    """Announces a length of years beside a table of pictures that is right: the table counts."""
    content = bytearray(_clip(path))
    for kind, at in ((b"mvhd", 16), (b"tkhd", 20), (b"mdhd", 16)):
        struct.pack_into(">I", content, content.index(kind) + 4 + at, 0xFFFFFF00)
    path.write_bytes(content)


def _countless(path: Path) -> None:
    """Announces four thousand million pictures, all of one size."""
    content = bytearray(_clip(path))
    struct.pack_into(">II", content, content.index(b"stsz") + 8, 1, 0xFFFFFFF0)
    path.write_bytes(content)


def _holds(first: bytes, last: bytes, frames: int | None) -> Odd:
    return Odd(lambda path: path.write_bytes(first + _clip(path) + last) and None, frames)


def _sound(path: Path) -> None:
    with av.open(str(path), "w", format="mp4") as out:
        stream = out.add_stream("aac", rate=16000)
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 16000), np.float32), format="fltp", layout="mono")
        silence.sample_rate = 16000
        out.mux(stream.encode(silence))
        out.mux(stream.encode(None))


PLAYLIST = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1.0,\n/etc/hostname\n#EXT-X-ENDLIST\n"
ODD: dict[str, Odd] = {
    "empty.mp4": data(b""),
    "one_byte.mp4": data(b"\0"),
    "zeros.mp4": data(bytes(100_000)),
    "text.mp4": text("this is not a video\n" * 100),
    "html.mp4": text("<!doctype html><title>404</title><p>Not found" * 50),
    "playlist.mp4": text(PLAYLIST),
    "playlist.ts": text(PLAYLIST),
    "remote_playlist.mkv": text(PLAYLIST.replace("/etc/hostname", "http://127.0.0.1:9/a.ts")),
    "concat.mp4": text("ffconcat version 1.0\nfile /etc/hostname\n"),
    "session.mp4": text("v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n"),
    "metadata.mp4": text(";FFMETADATA1\ntitle=x\n"),
    "subtitles.mp4": text("1\n00:00:00,000 --> 00:00:01,000\nx\n"),
    "zip.mp4": data(_zip()),
    "png.mp4": data(cv2.imencode(".png", np.zeros((64, 96, 3), np.uint8))[1].tobytes()),
    "jpeg.avi": data(cv2.imencode(".jpg", np.zeros((64, 96, 3), np.uint8))[1].tobytes()),
    "gif.mp4": film("gif", "gif", kind="rgb8", frames=None),
    "apng.mp4": film("apng", "apng", kind="rgb24", frames=None),
    "sound.mp4": Odd(_sound),
    "zip_behind.mp4": _holds(b"", _zip(), 8),
    "text_before.mp4": _holds(b"#EXTM3U\n" * 4, b"", None),
    "clip_in_clip.mp4": Odd(lambda path: path.write_bytes(_clip(path) + _clip(path, 5)) and None, 8),
    "bomb_jpeg.mov": Odd(_jpeg_bomb),
    "bomb_png.mov": Odd(_png_bomb, slow=True),
    "bomb_8k.mp4": film(size=(8192, 8192), n=2, frames=None, slow=True),
    "bomb_8k.ts": film(container="mpegts", size=(8192, 8192), n=2, frames=None, slow=True),
    "large.mp4": film(size=(4096, 2304), n=3, slow=True),
    "years.mp4": Odd(_years, 8),
    "countless.mp4": Odd(_countless),
    "giant_header.mp4": Odd(lambda path: _patched(path, b"tkhd", 76, struct.pack(">II", 1 << 31, 1 << 31)), 8),
    "no_time.mp4": Odd(lambda path: _patched(path, b"mdhd", 12, bytes(4))),
    "two_sizes.mov": Odd(_two_sizes),
    "many.mp4": film(size=(16, 16), n=30_000, slow=True),
    "fast.mp4": film(rate=Fraction(100_000)),
    "slow.mp4": film(rate=Fraction(1, 1000)),
    "odd_rate.mkv": film(container="matroska", rate=Fraction(999_983, 1000)),
    "one_pixel.mkv": film("ffv1", "matroska", (1, 1), "gray", frames=None),
    "thin.mkv": film("ffv1", "matroska", (2, 600), "gray"),
    "odd_size.mkv": film("ffv1", "matroska", (97, 65), "yuv444p"),
    "grey.mp4": film(kind="gray"),
    "full.mp4": film(kind="yuv444p"),
    "ten_bits.mp4": film(kind="yuv420p10le"),
    "twelve_bits.mkv": film("ffv1", "matroska", kind="gbrp12le"),
    "sixteen_grey.mkv": film("ffv1", "matroska", kind="gray16le"),
    "alpha.mkv": film("ffv1", "matroska", kind="bgra"),
    "alpha.mov": film("prores_ks", "mov", kind="yuva444p10le"),
    "palette.avi": film("rawvideo", "avi", kind="rgb24"),
}
"""Files by name."""

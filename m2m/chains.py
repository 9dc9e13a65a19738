"""Whether the parts of a video file follow each other without a gap, and reach the end that the first ones announce.

FFmpeg looks for the next part that makes sense where one does not, and says nothing: what lies in between is lost.
"""

import mmap
import re
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

SEGMENT = 0x18538067
MASTERS = frozenset({0x1549A966, 0x1654AE6B, 0xAE, 0xE0, 0x55B0, 0x1F43B675, 0xA0})
"""Elements of Matroska that hold elements: info, tracks, track, video, colour, cluster, group of blocks."""
FILE_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
PACKETS = bytes.fromhex("3626b2758e66cf11a6d900aa0062ce6c")
HEAD = 1 << 16
MIRRORED = bytes(int(f"{i:08b}"[::-1], 2) for i in range(256))
NO_BYTES = 0xFFFFFFFF
SCANNED = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
"""What ends the coded part of a JPEG."""

NEEDED = {
    b"trak": ((b"tkhd",), (b"mdia",)),
    b"mdia": ((b"mdhd",), (b"hdlr",), (b"minf",)),
    b"minf": ((b"stbl",),),
    b"stbl": ((b"stsd",), (b"stts",), (b"stsc",), (b"stsz", b"stz2"), (b"stco", b"co64")),
}
"""What the boxes of an MP4's track must hold: one of each."""

Bytes = bytes | mmap.mmap


def broken(path: Path, container: str) -> str | None:
    """What is wrong with the chain of a file's parts.

    Args:
        path: A file that is not empty.
        container: FFmpeg's name of the container.

    Returns:
        A sentence without a subject, or None if nothing is wrong.
    """
    walk = WALKS.get(container)
    if walk is None:
        return None
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return walk(data)


def _avi(data: Bytes) -> str | None:
    if data[:4] != b"RIFF" or len(data) < 8:
        return None
    # Some programs count the eight bytes before the size, too.
    return _short(len(data), struct.unpack_from("<I", data, 4)[0])


def _asf(data: Bytes) -> str | None:
    """Packets of one size behind the header; all begin alike."""
    about, start = data[:HEAD].find(FILE_PROPERTIES), int.from_bytes(data[16:24], "little")
    if about < 0 or data[start : start + 16] != PACKETS or start + 50 > len(data):
        return _gap(min(start, len(data)))
    size, count = struct.unpack_from("<I", data, about + 92)[0], struct.unpack_from("<Q", data, start + 40)[0]
    first = start + 50
    if first + size * count > len(data):
        return _short(len(data), first + size * count)
    places, begin = range(first, first + size * count, size or 1), data[first : first + 3]
    return next((_gap(at) for at in places if data[at : at + 3] != begin), None)


def _short(size: int, said: int) -> str | None:
    return f"its end is missing: {said - size} of {said} bytes" if said > size else None


def _flv(data: Bytes) -> str | None:
    """Parts begin with type and length, and end with their length again."""
    at = int.from_bytes(data[5:9]) + 4
    while at < len(data):
        length = 11 + int.from_bytes(data[at + 1 : at + 4])
        if data[at] & 0x1F not in (8, 9, 18) or int.from_bytes(data[at + length : at + length + 4]) != length:
            return _gap(at)
        at += length + 4
    return None


def _gap(at: int) -> str:
    return f"what lies at byte {at} is no part of it: bytes are missing or damaged before or there"


def _mpegts(data: Bytes) -> str | None:
    """Packets of 188 bytes, numbered 0 to 15 within a stream; with four more before each in a file of a Blu-ray."""
    size = next((s for s in (188, 192, 204) if _aligned(data, s)), 188)
    return _numbered(data, size, 4 if size == 192 else 0)


def _aligned(data: Bytes, size: int) -> bool:
    first = 4 if size == 192 else 0
    return all(data[at] == 0x47 for at in range(first, min(len(data), 5 * size), size))


def _numbered(data: Bytes, size: int, first: int) -> str | None:
    last: dict[int, int] = {}
    for at in range(first, len(data), size):
        if data[at] != 0x47 or at + 188 > len(data):
            return _gap(at)
        stream, flags = (data[at + 1] & 0x1F) << 8 | data[at + 2], data[at + 3]
        restarts = flags & 0x20 and data[at + 4] and data[at + 5] & 0x80
        if stream == 0x1FFF or not flags & 0x10:
            continue
        number = flags & 15
        if stream in last and not restarts and (number - last[stream]) % 16 > 1:
            return _gap(at)
        last[stream] = number
    return None


def _matroska(data: Bytes) -> str | None:
    """Elements of id, length and content: those of a segment, and those in its masters."""
    at = 0
    try:
        _, length, at = _element(data, 0)
        at += length or 0
        kind, length, at = _element(data, at)
        end = len(data) if length is None else at + length
        if kind != SEGMENT:
            return None
        return _short(len(data), end) if end > len(data) else _elements(data, at, end)
    except (IndexError, ValueError):
        return _gap(at)


def _elements(data: Bytes, at: int, end: int) -> str | None:
    while at < end:
        begin = at
        try:
            kind, length, at = _element(data, at)
        except (IndexError, ValueError):
            return _gap(begin)
        # One of unknown length, as in a live stream, ends where the next begins: what is in it comes here, too.
        stop = at if length is None else at + length
        if stop > end:
            return _gap(begin)
        wrong = _elements(data, at, stop) if kind in MASTERS else None
        if wrong:
            return wrong
        at = stop
    return None


def _element(data: Bytes, at: int) -> tuple[int, int | None, int]:
    """Id and length of an element, and where its content begins."""
    wide = 9 - data[at].bit_length()
    if wide > 4:
        raise ValueError
    kind, at = int.from_bytes(data[at : at + wide]), at + wide
    wide = 9 - data[at].bit_length()
    if wide > 8:
        raise ValueError
    mask = (1 << 7 * wide) - 1
    length = int.from_bytes(data[at : at + wide]) & mask
    return kind, None if length == mask else length, at + wide


def _mp4(data: Bytes) -> str | None:
    """Each track must have its tables; without them FFmpeg takes what is stored for one picture, or times it anew."""
    for kind, start, stop in _boxes(data, 0, len(data)):
        if kind == b"moov":
            tracks = ((a, b) for inner, a, b in _boxes(data, start, stop) if inner == b"trak")
            for lost in filter(None, (_lost(data, b"trak", *track) for track in tracks)):
                return f"a track has no {lost.decode()!r}, which says where its pictures are"
    return None


def _lost(data: Bytes, kind: bytes, start: int, stop: int) -> bytes | None:
    """A box that is missing in another, or in one that is in it."""
    inside = {name: (a, b) for name, a, b in _boxes(data, start, stop)}
    for names in NEEDED.get(kind, ()):
        there = next((name for name in names if name in inside), None)
        lost = names[0] if there is None else _lost(data, there, *inside[there])
        if lost:
            return lost
    return None


def _boxes(data: Bytes, at: int, stop: int) -> Iterator[tuple[bytes, int, int]]:
    """Kind of each box, and where its content begins and ends, as far as they make sense."""
    while at + 8 <= stop:
        size, kind = struct.unpack_from(">I4s", data, at)
        head = 8
        if size == 1 and at + 16 <= stop:
            size, head = struct.unpack_from(">Q", data, at + 8)[0], 16
        size = size or stop - at
        if size < head:
            return
        yield kind, at + head, min(at + size, stop)
        at += size


WALKS: dict[str, Callable[[Bytes], str | None]] = {
    "avi": _avi,
    "asf": _asf,
    "flv": _flv,
    "mpegts": _mpegts,
    "matroska,webm": _matroska,
    "mov,mp4,m4a,3gp,3g2,mj2": _mp4,
}


def ffv1_is_whole(packet: bytes) -> bool:
    """Whether the checksums of an FFV1 picture's slices are right; also where it has none (RFC 9043, 4.8 and 4.9).

    FFmpeg paints the last picture over a slice whose checksum is wrong, and does not say so.
    """
    with_sums = _slices(packet, 8)
    if with_sums is None:
        return _slices(packet, 3) is not None
    # Theirs goes from the highest bit to the lowest, zlib's the other way; over a slice and its sum it comes to 0.
    return all(zlib.crc32(packet[a:b].translate(MIRRORED), NO_BYTES) == NO_BYTES for a, b in with_sums)


def jpeg_is_whole(packet: bytes) -> bool:
    """Whether a JPEG is a chain of segments that FFmpeg can decode, up to the end of its first picture.

    FFmpeg leaves out a segment that it does not know, be it the one that says how the picture is coded.
    """
    at, framed = packet.find(b"\xff\xd8") + 2, False
    while 2 <= at <= len(packet) - 4:
        if packet[at] != 0xFF:
            return False
        kind = packet[at + 1]
        if kind == 0xFF:
            at += 1
            continue
        if kind == 0xD9:
            return framed
        framed |= kind in (0xC0, 0xC1, 0xC2, 0xC3)
        if kind in range(0xC5, 0xD9) and kind != 0xCC:
            return False
        at += 2 + int.from_bytes(packet[at + 2 : at + 4])
        if kind == 0xDA:
            found = SCANNED.search(packet, at)
            if found is None:
                return framed  # some cameras leave out the end of a picture
            at = found.start()
    return framed


def _slices(packet: bytes, trailer: int) -> list[tuple[int, int]] | None:
    """First and last byte of each slice, found from the end; None if they do not add up to the picture."""
    found, stop = [], len(packet)
    while stop > 0:
        start = stop - trailer - int.from_bytes(packet[max(0, stop - trailer) :][:3])
        if start < 0 or stop < trailer:
            return None
        found.append((start, stop))
        stop = start
    return found

"""What lies in an MP4 beside the pictures: nothing.

The boxes of ISO/IEC 14496-12 are walked by hand. A media library shows the boxes that it knows; in one that it does not
know, a name, a place or a thumbnail would be overlooked.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
from av.stream import Disposition

from m2m.audit.rows import Check
from m2m.container import open_container
from m2m.errors import QuarantineError

HOLDERS = {
    **dict.fromkeys((b"moov", b"trak", b"edts", b"mdia", b"minf", b"dinf", b"stbl", b"udta"), 0),
    b"stsd": 8,
    b"dref": 8,
    b"avc1": 78,
}
"""Boxes that hold boxes, and after how many bytes."""
KNOWN = frozenset(HOLDERS) | {
    *(b"ftyp", b"free", b"mdat", b"mvhd", b"tkhd", b"elst", b"mdhd", b"hdlr", b"vmhd", b"url ", b"stts", b"stss"),
    *(b"ctts", b"cslg", b"stsc", b"stsz", b"stco", b"co64", b"sdtp", b"sgpd", b"sbgp", b"meta"),
    *(b"avcC", b"colr", b"pasp", b"btrt", b"fiel"),
}
"""All that the encoder writes for one H.264 stream."""
SELF = b"\0\0\0\1"
"""What stands for an address where the pictures lie in the file itself."""
TAGS = {
    "": frozenset({"major_brand", "minor_version", "compatible_brands"}),
    "stream": frozenset({"language", "handler_name", "vendor_id"}),
}
VALUES = frozenset({"isom", "512", "isomiso2avc1mp41", "und", "VideoHandler", "[0][0][0][0]"})
"""What the encoder writes into those tags."""
SHORTEST = 4
"""Letters of a name from which it is looked for inside of other text."""
SHORTEST_BYTES = 8
"""The same among the bytes of pictures, where four letters come about by chance."""


@dataclass(frozen=True)
class Box:
    """One box: its type, where its content begins and ends, and the path of the boxes around it."""

    kind: bytes
    start: int
    stop: int
    around: tuple[bytes, ...]


def boxes(data: bytes, start: int = 0, stop: int | None = None, around: tuple[bytes, ...] = ()) -> Iterator[Box]:
    """All boxes of a file, those in others after them.

    Raises:
        ValueError: The bytes are no boxes up to their end.
    """
    at, stop = start, len(data) if stop is None else stop
    while at < stop:
        if stop - at < 8:
            raise ValueError(f"{stop - at} bytes after the last box, at {at}")
        size, kind = struct.unpack_from(">I4s", data, at)
        head = 8
        if size == 1 and stop - at >= 16:
            size, head = struct.unpack_from(">Q", data, at + 8)[0], 16
        elif size == 0:
            size = stop - at
        if size < head or at + size > stop:
            raise ValueError(f"the box {kind!r} at {at} does not fit into the file")
        yield Box(kind, at + head, at + size, around)
        if kind in HOLDERS:
            yield from boxes(data, at + head + HOLDERS[kind], at + size, (*around, kind))
        at += size


def check_file(path: Path) -> Check:
    """One H.264 stream and nothing else: no sound, subtitle, data or time code, no tag, chapter, date or hidden bytes.

    Args:
        path: An MP4.
    """
    try:
        data = path.read_bytes()
        wrong = [*_wrong_streams(path), *_wrong_boxes(data)]
    except (OSError, ValueError, struct.error, av.FFmpegError, QuarantineError) as error:
        wrong = [f"it is not a whole MP4: {error}"]
    figures = {"why": "; ".join(wrong[:10])} if wrong else {"bytes": len(data)}
    return Check(not wrong, figures)


def _wrong_streams(path: Path) -> list[str]:
    wrong = []
    with open_container(path, metadata_errors="replace") as container:
        kinds = [s.type for s in container.streams]
        if kinds != ["video"]:
            wrong.append(f"its streams are {', '.join(kinds) or 'none'}, not one video")
        for stream in container.streams.video:
            name = stream.codec_context.name if stream.codec_context else "unknown"
            if name != "h264" or stream.disposition & Disposition.attached_pic:
                wrong.append(f"stream {stream.index} is {name}, not H.264 video")
        if container.chapters():
            wrong.append(f"it has {len(container.chapters())} chapter(s)")
        tagged = [("", container.metadata), *(("stream", s.metadata) for s in container.streams)]
        for where, tags in tagged:
            for key, value in tags.items():
                if key not in TAGS[where] or value not in VALUES:
                    wrong.append(f"the tag {key}={value!r:.80}")
    return wrong


def _wrong_boxes(data: bytes) -> list[str]:
    wrong, media, named = [], 0, 0
    for box in boxes(data):
        content = data[box.start : box.stop]
        name = box.kind.decode("latin-1")
        if box.kind not in KNOWN or (box.kind == b"url " and content != SELF):
            wrong.append(f"the box {name!r} of {len(content)} bytes, which the encoder does not write")
        elif box.kind == b"free" and any(content):
            wrong.append(f"{len(content)} bytes in a box for free space")
        elif box.kind == b"meta" and not _empty_meta(content):
            wrong.append(f"a box of tags with {len(content)} bytes")
        elif box.kind in (b"mvhd", b"tkhd", b"mdhd") and _dated(content):
            wrong.append(f"a date in the box {name!r}")
        elif box.kind == b"avc1" and any(content[42:74]):
            wrong.append("text where the encoder may be named")
        elif box.kind == b"mdat":
            media += len(content)
        elif box.kind == b"stsz":
            named += _sample_bytes(content)
    if media != named:
        wrong.append(f"{media} bytes of media, of which the index names {named}")
    return wrong


def _empty_meta(content: bytes) -> bool:
    """Whether a box of tags is what the encoder writes when there are none: a handler and an empty list."""
    inside = list(boxes(content, 4)) if len(content) >= 4 else []
    if [b.kind for b in inside] != [b"hdlr", b"ilst"]:
        return False
    handler = content[inside[0].start : inside[0].stop]
    return inside[1].start == inside[1].stop and handler.rstrip(b"\0") == b"\0" * 8 + b"mdirappl"


def _dated(content: bytes) -> bool:
    """Whether a header box says when the file was made or changed; all begin with version, flags and times."""
    wide = content[0] == 1
    made, changed = struct.unpack_from(">QQ" if wide else ">II", content, 4)
    return bool(made or changed)


def _sample_bytes(content: bytes) -> int:
    """Bytes that a table of sample sizes names."""
    size, count = struct.unpack_from(">II", content, 4)
    return size * count if size else sum(struct.unpack_from(f">{count}I", content, 12))


def check_names(path: Path, names: tuple[str, ...]) -> Check:
    """No text in the file is or contains the source's name.

    Args:
        path: The file.
        names: What the source is called: names of files without suffix, ids.
    """
    searched = sorted({n for n in names if len(n) >= SHORTEST})
    if not searched:
        return Check(None, {"why": f"no name of the source has {SHORTEST} letters or more"})
    try:
        data = path.read_bytes()
        pictures = [(b.start, b.stop) for b in boxes(data) if b.kind == b"mdat"]
    except (OSError, ValueError, struct.error) as error:
        return Check(False, {"why": f"it cannot be read: {error}"})
    text, at = b"", 0
    for start, stop in pictures:
        text, at = text + data[at:start] + b"\0", stop
    text += data[at:]
    for own in VALUES:  # a clip may be called `video`, as the encoder calls its handler
        text = text.replace(own.encode(), b"\0")
    found = [n for n in searched if _holds(text, n) or (len(n) >= SHORTEST_BYTES and _holds(data, n))]
    return Check(
        not found, {"why": f"it contains the source's name {found[0]!r}"} if found else {"names": len(searched)}
    )


def _holds(data: bytes, name: str) -> bool:
    """Whether bytes hold a name, in the encodings that tags come in, whatever the case of its ASCII letters."""
    lower = data.lower()
    return any(name.encode(encoding).lower() in lower for encoding in ("utf-8", "utf-16-le", "utf-16-be"))

"""What a video file announces of itself: its length in seconds and in pictures."""

from dataclasses import dataclass
from fractions import Fraction

import av
from av.container import InputContainer

from m2m.chains import ffv1_is_whole, jpeg_is_whole

TOLERANCE = Fraction(1, 50)
"""Share of a video that may be missing against the seconds that its container announces."""

COUNTED = frozenset({"avi", "mov,mp4,m4a,3gp,3g2,mj2"})
"""Containers with a table of all pictures: what the table names must be there."""

BLOCK = 64
"""So many zeros in a row are no picture in `NEVER_ZERO`: where three would stand, these codecs write something else."""
NEVER_ZERO = frozenset({"h264", "hevc"})

VOP, EMPTY_VOP = b"\0\0\1\xb6", 16
"""What a picture of MPEG-4 begins with; and bytes under which it may say that there is none, as DivX writes them."""


@dataclass(frozen=True)
class Announced:
    """What the container promises: seconds or None, and whether of the video itself or of the longest stream."""

    seconds: Fraction | None
    own: bool


def announced(container: InputContainer, stream: av.VideoStream, fps: Fraction) -> Announced:
    """How long the container says that the video is."""
    base = Fraction(stream.time_base or 1)
    if container.format.name == "avi" and stream.frames:
        # FFmpeg shortens the duration of an AVI to what the size of the file allows; the count is left alone.
        return Announced(stream.frames / fps, True)
    if stream.duration and container.format.name != "asf":  # where it is that of the longest stream
        return Announced(stream.duration * base, True)
    if container.duration:
        return Announced(Fraction(container.duration, av.time_base), False)
    return Announced(None, False)


def slack(seconds: Fraction, fps: Fraction) -> Fraction:
    """How many seconds may be missing: what containers say of seconds is rounded, or is that of another stream."""
    return max(2 / fps, seconds * TOLERANCE)


def pictures(packet: av.Packet, codec: str) -> int:
    """How many pictures must come of a packet, at least."""
    if packet.is_discard or not packet.size:
        return 0
    data = bytes(packet)
    if codec == "mpeg4":
        # DivX puts two pictures into one packet, and an empty one into the next. A drawn one of so few bytes is rare.
        return sum(len(part) + len(VOP) > EMPTY_VOP for part in data.split(VOP)[1:]) or int(packet.size > EMPTY_VOP)
    if codec == "vp8":
        return int(bool(data[0] & 0x10))  # others are there for those that follow, and are not shown
    return 1


def damaged(packet: av.Packet, codec: str) -> bool:
    """Whether the bytes of a packet show damage that the decoder does not tell of."""
    if packet.is_corrupt:  # as far as the container knows
        return True
    if codec in NEVER_ZERO:
        return bytes(BLOCK) in bytes(packet)
    whole = {"ffv1": ffv1_is_whole, "mjpeg": jpeg_is_whole}.get(codec)
    return whole is not None and not whole(bytes(packet))

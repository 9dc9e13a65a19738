"""Opening a video file: the one place where FFmpeg meets the bytes of strangers.

Everything that decodes goes through here, so that no file makes FFmpeg open another one, reach the network, take more
memory than stated, or paint over what is missing.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
from av.container import InputContainer
from av.stream import Disposition

from m2m.errors import QuarantineError

# Containers of moving pictures. Pictures and play lists are not among them: a JPEG named .mp4 would open as a video of
# one frame, and a play list could make the reader open other files.
CONTAINERS = "avi,mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,mpeg,mpegts,flv,asf,ogg"

MOST_PIXELS = 8192 * 4608
"""Pixels of a picture that are decoded at most: a little more than 8K, 38 megapixels."""

LIMITS = {"max_pixels": str(MOST_PIXELS)}

# A decoder that meets damage is to stop, not to paint over it. `compliant` and `aggressive` would refuse real files.
STRICT = {"err_detect": "crccheck+bitstream+buffer+careful+explode"}


def unreadable(path: Path, why: str, **evidence: object) -> QuarantineError:
    """The error for a file that cannot be read whole."""
    return QuarantineError("unreadable", f"{path.name!r} cannot be used: {why}", evidence)


@contextmanager
def open_container(path: Path, *, metadata_errors: str = "ignore") -> Iterator[InputContainer]:
    """A file as FFmpeg sees it; only containers of moving pictures, and nothing but this file.

    Args:
        path: The file.
        metadata_errors: What to do about tags that are not UTF-8, as for `bytes.decode`.

    Raises:
        QuarantineError: `unreadable`: it is missing, empty, or no video.
    """
    if not path.is_file():
        raise unreadable(path, "there is no such file")
    if path.stat().st_size == 0:
        raise unreadable(path, "the file is empty")
    # The limit of pixels is for the decoders with which FFmpeg looks for what the header does not say.
    options = {"format_whitelist": CONTAINERS, "protocol_whitelist": "file", **LIMITS}
    try:
        # With `file:` a colon in the name is not taken for a protocol.
        container = av.open(f"file:{path.absolute()}", metadata_errors=metadata_errors, options=options)
    except (av.FFmpegError, OSError) as error:
        raise unreadable(path, f"it is not a video file, or its header is broken ({error.strerror})") from error
    with container:
        yield container


@contextmanager
def open_video(path: Path, *, strict: bool = True) -> Iterator[tuple[InputContainer, av.VideoStream]]:
    """A file and its moving picture, ready to be decoded.

    Args:
        path: The file.
        strict: Decoding ends with an error where a picture is damaged. Else its frame says that it is corrupt: for who
            begins in the middle, where the first pictures may lack those that they refer to.

    Raises:
        QuarantineError: `unreadable`: as above, it holds no moving picture, or one of more than MOST_PIXELS.
    """
    with open_container(path) as container:
        streams = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
        if not streams:
            raise unreadable(path, f"it holds no moving picture, only {len(container.streams)} other stream(s)")
        stream = streams[0]
        codec = stream.codec_context
        if codec is None:
            raise unreadable(path, "there is no decoder for its pictures")
        if codec.width * codec.height > MOST_PIXELS:
            raise unreadable(
                path,
                f"a picture of {codec.width}x{codec.height} pixels is too large, {MOST_PIXELS} are decoded at most",
            )
        # One thread: how a decoder meets damage must not depend on timing.
        codec.thread_count = 1
        codec.thread_type = "NONE"
        codec.options = {**LIMITS, **STRICT} if strict else dict(LIMITS)
        yield container, stream

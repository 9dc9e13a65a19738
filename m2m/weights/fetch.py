"""Fetches a checkpoint: goes on where it was cut off, verifies, and only then gives the file its name."""

import http.client
import urllib.error
import urllib.request
from pathlib import Path

from m2m.errors import InfrastructureError, InputError
from m2m.files import disk_errors
from m2m.progress import counter
from m2m.weights.registry import Weight, check, folder

BLOCK = 1 << 20
TIMEOUT = 60
"""Seconds without a byte after which a server is given up."""


def fetch(weight: Weight) -> Path:
    """The file of a checkpoint, downloaded unless it is there.

    Args:
        weight: Which.

    Raises:
        InputError: Its licence was not accepted, a person must fetch it, or the bytes are not those published.
        InfrastructureError: The network or the disk fails; the same call goes on from there.
    """
    if not weight.accepted:
        raise InputError(
            f"the licence of {weight.name} needs your consent: {weight.licence} ({weight.source})",
            f"read it, and then: m2m weights accept {weight.name}",
        )
    if not weight.path.is_file():
        if not weight.url:
            raise InputError(f"{weight.name} cannot be fetched by a program", weight.advice)
        _download(weight)
    check(weight, thoroughly=True)
    return weight.path


def _download(weight: Weight) -> None:
    part = weight.path.with_name(weight.path.name + ".part")
    with disk_errors(folder()):
        folder().mkdir(parents=True, exist_ok=True)
        try:
            _receive(weight, part)
        except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
            raise InfrastructureError(
                f"{weight.name} did not come from {weight.url}: {error}",
                f"run it again, it goes on from {part.stat().st_size if part.exists() else 0} bytes; or get the file "
                f"from {weight.source} yourself, and put it at {weight.path}",
            ) from error
        part.rename(weight.path)
    try:
        check(weight, thoroughly=True)
    except InputError:
        weight.path.unlink()
        raise


def _receive(weight: Weight, part: Path) -> None:
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(weight.url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        answer = urllib.request.urlopen(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code == 416 and error.headers.get("Content-Range", "").endswith(f"/{have}"):
            return  # it was whole already
        raise
    with answer:
        if answer.headers.get_content_type() == "text/html":
            raise InputError(
                f"{weight.url} answers with a page for people, not with the file",
                f"open it in a browser, download {weight.file}, and put it at {weight.path}",
            )
        goes_on = answer.status == 206
        left = int(answer.headers.get("Content-Length") or 0)
        with part.open("ab" if goes_on else "wb") as file, counter(-(-left // BLOCK), "MB", weight.file) as advance:
            received = 0
            while block := answer.read(BLOCK):
                file.write(block)
                received += len(block)
                advance()
    if left and received < left:
        raise http.client.IncompleteRead(b"", left - received)

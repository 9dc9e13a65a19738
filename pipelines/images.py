"""Where the images of the components are found: their tags are hashes of what they hold. Needs no package."""

import functools
import hashlib
import os
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

BASE_FILE = "docker/.base"
"""Where `make images` notes what it built upon; a checkout's own affair."""

_SHARED = (
    "docker/Dockerfile",
    "docker/install.sh",
    "docker/m2m-ssh",
    "LICENSE",
    "pyproject.toml",
    "m2m",
    "profiles",
    "experiments",
)
_LOCKS = {
    "base": ("image-common", "image-base"),
    "detect": ("image-common", "models"),
    "inpaint": ("image-common", "models"),
    "recover": ("image-common", "models", "image-recover"),
    "train": ("image-common", "image-base", "all"),
    "detect-paper": ("image-common", "models", "image-recover", "image-paper"),
    "inpaint-paper": ("image-common", "models", "image-recover", "image-paper"),
    "recover-paper": ("image-common", "models", "image-recover", "image-paper"),
}


def address(image: str, registry: str = "m2m", tag: str = "") -> str:
    """Where an image is found.

    Args:
        image: As `image` gives it.
        registry: Registry and folder, without the last slash.
        tag: Empty for the hash of what the image holds.
    """
    name = image.rpartition("/")[2]
    return f"{registry}/{name}:{tag or content_tag(name)}"


def base_image(root: Path = ROOT) -> str:
    """What images are built upon: as `make images` was told, or the Dockerfile's own."""
    if given := os.environ.get("M2M_BASE_IMAGE"):
        return given
    noted = root / BASE_FILE
    if noted.is_file():
        return noted.read_text(encoding="utf-8").strip()
    found = re.search(r"^ARG BASE=(\S+)", (root / "docker" / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    if found is None:
        raise ValueError("docker/Dockerfile names no BASE")
    return found[1]


@functools.cache
def content_tag(name: str, root: Path = ROOT) -> str:
    """12 hexadecimal digits of everything an image is made of: recipe, locked packages, code, and the base's name.

    Args:
        name: `base`, `detect`, `inpaint`, `recover` or `train`.
        root: A checkout.
    """
    whole = hashlib.sha256(base_image(root).encode())
    for entry in (*_SHARED, *(f"requirements/{lock}.txt" for lock in _LOCKS[name])):
        path = root / entry
        files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
        for file in files:
            relative = file.relative_to(root)
            if "__pycache__" not in relative.parts:
                whole.update(f"\0{relative.as_posix()}\0{hashlib.sha256(file.read_bytes()).hexdigest()}".encode())
    return whole.hexdigest()[:12]

"""Which code and which packages made a result."""

import functools
import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path


def environment() -> str:
    """The interpreter, the system and the packages, one a line.

    A package that is being installed, or of which pieces are left, has no metadata and is left out.
    """
    whole = (d for d in importlib.metadata.distributions() if d.read_text("METADATA") or d.read_text("PKG-INFO"))
    packages = {f"{d.metadata['Name']}=={d.version}" for d in whole}
    system = f"# Python {platform.python_version()}, {platform.platform()}, {os.cpu_count()} CPUs"
    return "\n".join([system, *sorted(packages, key=str.lower)]) + "\n"


@functools.cache
def git_revision() -> str:
    """The revision of this code, `-dirty` if changed since; M2M_REVISION in an image; empty if unknown."""
    here = Path(__file__).resolve().parent
    if given := os.environ.get("M2M_REVISION", ""):
        return given
    try:
        # The package may lie in a virtual environment inside somebody else's repository.
        subprocess.run(["git", "ls-files", "--error-unmatch", __file__], cwd=here, check=True, capture_output=True)
        command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
        return subprocess.run(command, cwd=here, check=True, capture_output=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""

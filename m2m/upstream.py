"""Code of others that M2M calls and never copies: a checkout at one commit, found through an environment variable.

A backend asks for its checkout here. In an image the variable is set and the folder holds a file COMMIT; elsewhere it
is a git clone.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from m2m.errors import InfrastructureError, InputError

COMMIT = "COMMIT"
"""A file with the commit's hash, in a checkout without .git."""


@dataclass(frozen=True)
class Upstream:
    """One repository.

    Attributes:
        name: What M2M calls it.
        repository: Its address.
        commit: The commit that the backend was written for.
        licence: Of its code.
        commercial: Whether the licence permits commercial use.
        variable: Environment variable that says where the checkout is.
        probe: A file of it.
    """

    name: str
    repository: str
    commit: str
    licence: str
    commercial: bool
    variable: str
    probe: str

    @property
    def how(self) -> str:
        """How a user gets it."""
        folder = self.repository.rsplit("/", 1)[-1]
        return (
            f"git clone {self.repository} && git -C {folder} checkout {self.commit} && "
            f"export {self.variable}=$PWD/{folder}  ({self.licence})"
        )


UPSTREAMS = {
    upstream.name: upstream
    for upstream in (
        Upstream(
            "detectron2",
            "https://github.com/facebookresearch/detectron2",
            "02b5c4e295e990042a714712c21dc79b731e8833",
            "Apache-2.0",
            True,
            "M2M_DETECTRON2",
            "configs/COCO-InstanceSegmentation/mask_rcnn_R_101_FPN_3x.yaml",
        ),
        Upstream(
            "e2fgvi",
            "https://github.com/MCG-NKU/E2FGVI",
            "709cbe319edc21b8a365a28e14cba595a93d62cf",
            "CC-BY-NC-4.0",
            False,
            "M2M_E2FGVI",
            "model/e2fgvi.py",
        ),
        Upstream(
            "osx",
            "https://github.com/IDEA-Research/OSX",
            "14b1cb41a3d2b14c9303290f45fa8189f6f685b3",
            "MIT, parts GPL-3.0 non-commercial and MPI non-commercial",
            False,
            "M2M_OSX",
            "main/OSX.py",
        ),
    )
}


def find_upstream(name: str, environment: Mapping[str, str] | None = None) -> Path:
    """The checkout of a repository.

    Args:
        name: A key of `UPSTREAMS`.
        environment: Where its variable is looked up; None: the process's own.

    Raises:
        InfrastructureError: There is none.
        InputError: It is at another commit, or is not that repository.
    """
    upstream = UPSTREAMS[name]
    given = (os.environ if environment is None else environment).get(upstream.variable, "")
    if not given:
        raise InfrastructureError(f"{upstream.variable} does not say where {name} is", upstream.how)
    folder = Path(given).expanduser()
    if not (folder / upstream.probe).is_file():
        raise InfrastructureError(
            f"there is no checkout of {name} at {folder}: {upstream.probe} is missing", upstream.how
        )
    commit = commit_of(folder)
    if commit != upstream.commit:
        raise InputError(
            f"{folder} is {name} at commit {commit or 'unknown'}, and M2M calls it at {upstream.commit}",
            f"git -C {folder} fetch && git -C {folder} checkout {upstream.commit}",
        )
    return folder


def commit_of(folder: Path) -> str:
    """The commit of a checkout: of its own .git, else what its file COMMIT says; empty where neither does."""
    if (folder / COMMIT).is_file():
        return (folder / COMMIT).read_text().strip()
    git = shutil.which("git")
    if git is None or not (folder / ".git").exists():
        return ""
    told = subprocess.run(
        [git, "-c", "safe.directory=*", "-C", str(folder), "rev-parse", "HEAD"],
        capture_output=True,
        text=True,
        check=False,
    )
    return told.stdout.strip() if told.returncode == 0 else ""


@contextmanager
def importable(*folders: Path) -> Iterator[None]:
    """Puts folders of a checkout before everything else that can be imported, for the length of a block."""
    names = [str(folder) for folder in folders]
    sys.path[:0] = names
    try:
        yield
    finally:
        for name in names:
            sys.path.remove(name)

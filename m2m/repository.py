"""A git repository with DVC as the place where versions of data sets are named; git and dvc are called as programs."""

import configparser
import os
import random
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import yaml

from m2m.errors import InfrastructureError, InputError, M2MError
from m2m.wording import shown

DATA = "data"
ATTEMPTS = 20
"""How often a push is tried when others push at the same time."""

NETWORK = re.compile(
    r"could not resolve|unable to access|connection (refused|reset|timed out|closed)|timed out|timeout|network is"
    r"|could not connect|cannot connect|temporarily|slowdown|service unavailable|no space left|internal ?error"
    r"|\b50[0-4]\b",
    re.IGNORECASE,
)
"""What git and dvc say when the machine or the network failed, and not the user."""


@dataclass(frozen=True)
class Version:
    """A version of a data set.

    Attributes:
        name: The data set's folder under `data/`.
        md5: Hash in its .dvc file.
        revision: Git revision that holds it, 40 hexadecimal digits.
        tag: Git tag of that revision.
    """

    name: str
    md5: str
    revision: str
    tag: str

    @property
    def tags(self) -> dict[str, str]:
        """The version as tags of a tracked run."""
        return {"m2m.dvc.md5": self.md5, "m2m.dvc.revision": self.revision, "m2m.dvc.tag": self.tag}

    def __str__(self) -> str:
        return f"{self.tag} (md5 {self.md5}, revision {self.revision[:12]})"


class Repository:
    """A clone of a repository, for one version.

    Args:
        url: Its address: a URL or a bare repository's folder.
        folder: Where to clone; must not exist.
        branch: The branch that gets the version; empty: the repository's own.
        remote: The DVC remote that gets the data; empty: the repository's default.

    Attributes:
        url: Its address, fit to be shown.
        remote: The DVC remote that gets the data.

    Raises:
        InputError: There is no such repository or branch, it is a working copy, or it lacks DVC or the remote.
        InfrastructureError: It cannot be reached, or git or dvc is not installed.
    """

    def __init__(self, url: str, folder: Path, branch: str = "", remote: str = "") -> None:
        if not url:
            raise InputError("no repository is named", "set register.repository to the address of a git repository")
        if (Path(url) / ".git").exists():
            raise InputError(f"{url} is somebody's working copy", "name the repository that it is pushed to")
        self.url, self._root = shown(url), folder
        named = ["--branch", branch] if branch else []
        found = run("git", "clone", "--quiet", "--no-tags", "--single-branch", *named, "--", url, str(folder))
        if found.returncode:
            raise failure(found, f"cannot clone {self.url}", "check register.repository and register.branch")
        if not (folder / ".dvc" / "config").is_file():
            raise InputError(
                f"{self.url} is no DVC repository", "run dvc init and dvc remote add --default in it, and push"
            )
        config = configparser.ConfigParser(interpolation=None)
        config.read(folder / ".dvc" / "config", encoding="utf-8")
        remotes = sorted(s[len("'remote \"") : -2] for s in config.sections() if s.startswith("'remote "))
        self.remote = remote or config.get("core", "remote", fallback="")
        if not self.remote:
            raise InputError(f"{self.url} has no default DVC remote", "dvc remote add --default NAME ADDRESS, and push")
        if self.remote not in remotes:
            known = ", ".join(remotes) or "none"
            raise InputError(f"{self.url} has no DVC remote {self.remote!r}", f"its remotes: {known}")
        self._branch = self._git("symbolic-ref", "--short", "HEAD").stdout.strip()

    @property
    def private(self) -> bool:
        """Whether the repository's owners say that only they can read the remote: `.dvc/private-remotes` names it."""
        path = self._root / ".dvc" / "private-remotes"
        return path.is_file() and self.remote in path.read_text(encoding="utf-8").split()

    def place(self, name: str) -> Path:
        """Where to put a new version of a data set: an empty folder in the clone."""
        folder = self._root / DATA / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.parent.mkdir(exist_ok=True)
        return folder

    def publish(self, name: str, message: str) -> Version:
        """Pushes what was placed: first the data, then the commit and its tag, together or not at all.

        A version that is there already is found and not made again. When somebody else pushes at the same time, the
        commit is made anew on top of theirs.

        Raises:
            InputError: The repository or the remote refuses it.
            InfrastructureError: They cannot be reached, or others pushed all the time.
        """
        (self._root / ".dvc" / "config.local").write_text("[cache]\n    type = reflink,hardlink,copy\n")
        self._checked(self._dvc("add", "--quiet", f"{DATA}/{name}"), f"cannot add {name} to DVC")
        pointer = self._root / DATA / f"{name}.dvc"
        entry = pointer.read_bytes()
        md5 = yaml.safe_load(entry)["outs"][0]["md5"]
        tag = f"{name}-{md5[:12]}"
        pushed = self._dvc("push", "--quiet", "--remote", self.remote, str(pointer))
        self._checked(pushed, f"cannot push {name} to the DVC remote {self.remote}")
        for attempt in range(ATTEMPTS):
            if known := self._tagged(tag):
                return Version(name, md5, known, tag)
            self._commit(name, entry, message, tag)
            push = self._git("push", "--porcelain", "--atomic", "origin", f"HEAD:refs/heads/{self._branch}", tag)
            if not push.returncode:
                return Version(name, md5, self._git("rev-parse", "HEAD").stdout.strip(), tag)
            if not _was_late(push):
                raise failure(push, f"{self.url} refuses the push", "ask its owner for the right to push")
            time.sleep(random.uniform(0, min(2.0, 0.1 * 2**attempt)))
            self._checked(self._git("fetch", "--quiet", "origin", self._branch), f"cannot fetch {self.url}")
            self._git("reset", "--quiet", "--hard", "FETCH_HEAD")
        raise InfrastructureError(f"{self.url}: others pushed {ATTEMPTS} times meanwhile", "run it again")

    def _tagged(self, tag: str) -> str:
        found = self._checked(self._git("ls-remote", "--tags", "origin", f"refs/tags/{tag}"), f"cannot read {self.url}")
        return found.stdout.split()[0] if found.stdout.strip() else ""

    def _commit(self, name: str, entry: bytes, message: str, tag: str) -> None:
        pointer, ignore = self._root / DATA / f"{name}.dvc", self._root / DATA / ".gitignore"
        pointer.parent.mkdir(exist_ok=True)
        pointer.write_bytes(entry)
        lines = ignore.read_text(encoding="utf-8").splitlines() if ignore.exists() else []
        if not self._ignored(name):
            ignore.write_text("\n".join([*lines, f"/{name}"]) + "\n", encoding="utf-8")
        self._checked(self._git("add", "--all", "--", DATA), "cannot stage the version")
        self._checked(self._git("commit", "--quiet", "--allow-empty", "-m", message), "cannot commit the version")
        self._checked(self._git("tag", "--force", tag), f"{tag!r} cannot be a tag")

    def _ignored(self, name: str) -> bool:
        return not self._git("check-ignore", "--quiet", f"{DATA}/{name}/clips.parquet").returncode

    def _git(self, *args: str) -> subprocess.CompletedProcess[str]:
        return run("git", *args, cwd=self._root)

    def _dvc(self, *args: str) -> subprocess.CompletedProcess[str]:
        return run("dvc", *args, cwd=self._root)

    def _checked(self, done: subprocess.CompletedProcess[str], what: str) -> subprocess.CompletedProcess[str]:
        if done.returncode:
            raise failure(done, what, "check the address and the credentials")
        return done


def create(path: Path, remote: str) -> None:
    """Makes a bare repository for versions, with DVC and one default remote; one that is there is left as it is.

    Args:
        path: Its folder.
        remote: Where the data go: a folder, or s3://bucket/prefix.

    Raises:
        InputError: There is something else at `path`.
        InfrastructureError: git or dvc is not installed, or fails.
    """
    if (path / "HEAD").is_file():
        return
    if path.exists() and any(path.iterdir()):
        raise InputError(f"{path} exists and is no bare repository", "name a new folder")
    address = remote if "://" in remote else str(Path(remote).absolute())
    building = path.absolute().parent / f".{path.name}.part"
    shutil.rmtree(building, ignore_errors=True)
    clone = building / "clone"
    try:
        clone.mkdir(parents=True)
        (clone / DATA).mkdir()
        (clone / DATA / ".gitignore").write_text("/*/\n")
        steps = [
            ("git", "init", "--quiet", "--initial-branch=main"),
            ("dvc", "init", "--quiet"),
            ("dvc", "remote", "add", "--quiet", "--default", "storage", address),
            ("git", "add", "--all"),
            ("git", "commit", "--quiet", "-m", "A place for versions of data sets"),
            ("git", "clone", "--quiet", "--bare", ".", str(building / "bare")),
        ]
        for step in steps:
            done = run(*step, cwd=clone)
            if done.returncode:
                raise failure(done, f"cannot make the repository {path}", "check the folder")
        if path.exists():
            path.rmdir()
        (building / "bare").rename(path)
    finally:
        shutil.rmtree(building, ignore_errors=True)


def run(name: str, *args: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Runs git or dvc, preferably the interpreter's own; nothing asks for a password, nothing phones home.

    Raises:
        InfrastructureError: It is not installed.
    """
    own = Path(sys.executable).parent / name
    program = str(own) if own.is_file() else shutil.which(name)
    if program is None:
        advice = "pip install 'm2m[pipelines]'" if name == "dvc" else f"install {name}"
        raise InfrastructureError(f"{name} is not installed", advice)
    environment = {
        "GIT_AUTHOR_NAME": "m2m",
        "GIT_AUTHOR_EMAIL": "m2m@localhost",
        "GIT_COMMITTER_NAME": "m2m",
        "GIT_COMMITTER_EMAIL": "m2m@localhost",
        "GIT_SSH_COMMAND": "ssh -o BatchMode=yes",
        **os.environ,
        "GIT_TERMINAL_PROMPT": "0",
        "DVC_NO_ANALYTICS": "1",
        "LC_ALL": "C",
    }
    # Set inside a git hook, they would name the wrong repository.
    for variable in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        environment.pop(variable, None)
    return subprocess.run([program, *args], cwd=cwd, env=environment, capture_output=True, text=True, check=False)


def failure(done: subprocess.CompletedProcess[str], what: str, next_step: str) -> M2MError:
    """The error for a program that failed, with the line in which it says why."""
    lines = [line.strip() for line in f"{done.stdout}\n{done.stderr}".splitlines() if line.strip()]
    why = [li for li in lines if re.match(r"(fatal|error|remote: error|!)", li, re.IGNORECASE)] or lines[-1:] or ["?"]
    text = shown("; ".join(dict.fromkeys(why)))[:400]
    kind = InfrastructureError if NETWORK.search("\n".join(lines)) else InputError
    return kind(f"{what}: {text}", next_step)


def _was_late(push: subprocess.CompletedProcess[str]) -> bool:
    """Whether a push was refused because of somebody else's, and not for good."""
    said = push.stdout + push.stderr
    return any(
        word in said for word in ("[rejected]", "cannot lock ref", "failed to update ref", "incorrect old value")
    )

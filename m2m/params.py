"""params.yaml and a profile become frozen dataclasses; an unknown key is an error.

The defaults live in the dataclasses of the stages. `params.yaml` at the root of a checkout repeats them for DVC and for
reading; a test keeps the two equal. A profile is a YAML file of the same shape that overrides some of them; of several
profiles a later one overrides those before it.
"""

import dataclasses
import importlib
import types
import typing
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

from m2m.augment.body import BodyParams
from m2m.augment.compose import PAINTED, ComposeParams
from m2m.augment.detect import DetectParams
from m2m.augment.inpaint import InpaintParams
from m2m.augment.inpaint.region import RegionParams
from m2m.augment.licences import forbidding
from m2m.augment.recover import RecoverParams
from m2m.augment.render import RenderParams
from m2m.augment.verify import VerifyParams
from m2m.augment.window import WindowParams
from m2m.errors import InputError
from m2m.parsing import parse_yaml
from m2m.video import VideoParams

T = TypeVar("T")

SECTIONS = {
    "ingest": "m2m.datasets.params:IngestParams",
    "curate": "m2m.curate.params:CurateParams",
    "augment": "m2m.params:AugmentParams",
    "audit": "m2m.audit.params:AuditParams",
    "gate": "m2m.audit.params:GateParams",
    "register": "m2m.register:RegisterParams",
    "model": "m2m.train.params:ModelParams",
    "pretrain": "m2m.train.params:PretrainParams",
    "align": "m2m.train.params:AlignParams",
    "evaluate": "m2m.train.params:EvaluateParams",
    "cluster": "m2m.cluster:ClusterParams",
}
"""Where each section of params.yaml has its dataclass, in the order of the stages."""


@dataclass(frozen=True)
class AugmentParams:
    """The parameters of `m2m augment`, a section a stage.

    Attributes:
        size: `WIDTHxHEIGHT` in pixels, or `source`. The paper's 432x240 by default.
        allow_empty: Release clips in which nobody was found.
        use: What the result is for, `research` or `commercial`: a licence that forbids it is an error.
        keep: Intermediates to keep: any of `people`, `plates`, `bodies`.
        window: How clips are cut into windows.
        detect: Who is in the picture.
        region: What is painted out.
        inpaint: How it is painted out.
        recover: How bodies are found.
        body: Which body is drawn.
        render: How it is drawn.
        compose: What a frame shows.
        verify: When a clip is refused.
        video: How clips are encoded.
    """

    size: str = "432x240"
    allow_empty: bool = False
    use: Literal["research", "commercial"] = "research"
    keep: tuple[str, ...] = ()
    window: WindowParams = field(default_factory=WindowParams)
    detect: DetectParams = field(default_factory=DetectParams)
    region: RegionParams = field(default_factory=RegionParams)
    inpaint: InpaintParams = field(default_factory=InpaintParams)
    recover: RecoverParams = field(default_factory=RecoverParams)
    body: BodyParams = field(default_factory=BodyParams)
    render: RenderParams = field(default_factory=RenderParams)
    compose: ComposeParams = field(default_factory=ComposeParams)
    verify: VerifyParams = field(default_factory=VerifyParams)
    video: VideoParams = field(default_factory=VideoParams)

    def __post_init__(self) -> None:
        _ = self.pixels
        unknown = set(self.keep) - {"people", "plates", "bodies"}
        if unknown:
            raise ValueError(f"keep is any of people, plates, bodies, not {', '.join(sorted(unknown))}")
        if "plates" in self.keep and self.compose.variant not in PAINTED:
            raise ValueError(f"the variant {self.compose.variant} has no plates to keep")
        if self.inpaint.backend == "e2fgvi" and self.pixels not in (None, (432, 240)):
            raise ValueError(f"inpaint.backend e2fgvi works at 432x240 only, not at {self.size}: use e2fgvi-hq")
        if forbidden := forbidding(self):
            named = "; ".join(f"{one.backend}: {one.text}" for one in forbidden)
            raise ValueError(f"commercial use is forbidden by the licence of {named}")

    @property
    def from_others(self) -> tuple[str, ...]:
        """The backends, as stage/backend, that need PyTorch and, but for torchvision, the code of others."""
        heavy = {
            f"detect/{self.detect.backend}": self.detect.backend != "embedded",
            f"inpaint/{self.inpaint.backend}": self.inpaint.backend.startswith("e2fgvi"),
            f"recover/{self.recover.backend}": self.recover.backend == "osx",
            f"body/{self.body.model}": self.body.model == "smplx",
        }
        return tuple(name for name, needed in heavy.items() if needed)

    @property
    def pixels(self) -> tuple[int, int] | None:
        """Width and height, or None for the source's own.

        Raises:
            ValueError: `size` is neither.
        """
        if self.size == "source":
            return None
        width, _, height = self.size.partition("x")
        if not (width.isdecimal() and height.isdecimal() and int(width) >= 64 and int(height) >= 64):
            raise ValueError(f"size is WIDTHxHEIGHT of at least 64 pixels each, or source, not {self.size!r}")
        if int(width) % 2 or int(height) % 2:
            raise ValueError(f"H.264 needs even sides, not {self.size}")
        return int(width), int(height)


def build(cls: type[T], values: dict[str, Any], where: str) -> T:
    """A dataclass from a mapping, section by section.

    Args:
        cls: A frozen dataclass.
        values: Values by field; a section is a mapping itself. Missing fields keep their defaults.
        where: The file, for messages.

    Raises:
        InputError: An unknown key, a value of the wrong type, or one that the dataclass refuses.
    """
    return _build(cls, values, where, "")


def _build(cls: Any, values: Any, where: str, path: str) -> Any:
    if not isinstance(values, dict):
        raise InputError(f"{where}: {path or 'the file'} must be a mapping, not {type(values).__name__}")
    hints = typing.get_type_hints(cls)
    known = [f.name for f in dataclasses.fields(cls)]
    given = {}
    for key, value in values.items():
        at = f"{path}.{key}" if path else str(key)
        if key not in known:
            raise InputError(f"{where}: unknown key {at!r}", f"known here: {', '.join(known)}")
        hint = hints[key]
        given[key] = _value(hint, value, where, at)
    try:
        return cls(**given)
    except ValueError as error:
        raise InputError(f"{where}: {path + ': ' if path else ''}{error}") from error


def _value(hint: Any, value: Any, where: str, at: str) -> Any:
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if dataclasses.is_dataclass(hint):
        return _build(hint, value, where, at)
    if origin is dict and isinstance(value, dict) and all(isinstance(k, str) for k in value):
        return {k: _value(args[1], v, where, f"{at}.{k}") for k, v in value.items()}
    if hint is Any:
        return value
    if origin in (typing.Union, types.UnionType):
        if value is None and type(None) in args:
            return None
        return _value(next(a for a in args if a is not type(None)), value, where, at)
    if origin is tuple and isinstance(value, list | tuple):
        if args[-1] is Ellipsis:
            return tuple(_value(args[0], v, where, at) for v in value)
        if len(args) == len(value):
            return tuple(_value(a, v, where, at) for a, v in zip(args, value, strict=True))
    if origin is typing.Literal and value in args:
        return value
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError as error:
            raise InputError(f"{where}: {at} is out of range") from error
    if hint is int and isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(hint, type) and isinstance(value, hint) and not (hint is int and isinstance(value, bool)):
        return value
    want = getattr(hint, "__name__", None) if origin is None else str(hint)
    raise InputError(f"{where}: {at} must be {want or hint}, not {value!r:.200}")


def merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """A mapping with another laid over it; sections are merged, values replaced."""
    out = dict(base)
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(out.get(key), dict)
        out[key] = merge(out[key], value) if both else value
    return out


def to_dict(params: Any) -> dict[str, Any]:
    """A dataclass as plain YAML values (tuples as lists)."""
    plain = {}
    for f in dataclasses.fields(params):
        value = getattr(params, f.name)
        plain[f.name] = to_dict(value) if dataclasses.is_dataclass(value) else value
        if isinstance(value, tuple):
            plain[f.name] = list(value)
    return plain


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML mapping.

    Raises:
        InputError: The file is missing, not YAML, or not a mapping.
    """
    try:
        values = parse_yaml(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise InputError(f"{path} is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(values, dict | None):
        raise InputError(f"{path} must hold a mapping, not {type(values).__name__}")
    return values or {}


def section_class(name: str) -> Any:
    """The dataclass of a section; its stage is imported only now.

    Raises:
        InputError: There is no such section.
    """
    if name not in SECTIONS:
        raise InputError(f"unknown section {name!r}", f"known: {', '.join(SECTIONS)}")
    module, _, cls = SECTIONS[name].partition(":")
    return getattr(importlib.import_module(module), cls)


def section(name: str, values: dict[str, Any]) -> Any:
    """A section's dataclass from plain values, as a pipeline hands them to a task.

    Args:
        name: A key of `SECTIONS`.
        values: Values by field. JSON knows no integers: 3.0 is taken for 3 where a whole number is asked for.

    Raises:
        InputError: An unknown key, a value of the wrong type, or one that the dataclass refuses.
    """
    return build(section_class(name), values, f"section {name}")


def _read(path: Path, name: str) -> dict[str, Any]:
    whole = read_yaml(path)
    unknown = set(whole) - set(SECTIONS)
    if unknown:
        raise InputError(f"{path}: unknown key {min(unknown)!r}", f"known here: {', '.join(SECTIONS)}")
    values = whole.get(name) or {}
    if not isinstance(values, dict):
        raise InputError(f"{path}: {name} must be a mapping, not {type(values).__name__}")
    return values


def find_profile(name: str) -> Path:
    """The file of a profile: a path, or a name shipped with the project.

    Raises:
        InputError: There is no such file.
    """
    if name.endswith((".yaml", ".yml")):
        return Path(name)
    here = Path(__file__).resolve().parent
    folders = [here / "profiles", here.parent / "profiles"]  # in the wheel, in a checkout
    for folder in folders:
        if (folder / f"{name}.yaml").is_file():
            return folder / f"{name}.yaml"
    known = sorted({p.stem for folder in folders for p in folder.glob("*.yaml")})
    raise InputError(f"unknown profile {name!r}", f"known: {', '.join(known)}, or the path of a .yaml file")


def load(
    name: str,
    profile: str | Sequence[str] | None = None,
    params: Path | None = None,
    overrides: dict[str, Any] | None = None,
) -> Any:
    """The parameters of one stage.

    Args:
        name: The stage's section, a key of `SECTIONS`.
        profile: Name or path of a profile; or several, each laid over those before it.
        params: A params.yaml, below the profiles. None: the defaults.
        overrides: Laid over all.

    Returns:
        The section's dataclass.

    Raises:
        InputError: A file, key or value is wrong.
    """
    values: dict[str, Any] = {}
    names = []
    if params is not None:
        values = _read(params, name)
        names.append(str(params))
    for one in (profile,) if isinstance(profile, str) else profile or ():
        path = find_profile(one)
        values = merge(values, _read(path, name))
        names.append(str(path))
    values = merge(values, overrides or {})
    return build(section_class(name), values, " + ".join(names) or "parameters")

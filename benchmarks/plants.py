"""What the audit finds of faults that are planted, and how often it is wrong about clips without any.

    python -m benchmarks.plants [--each 40] [--kind KIND] [--scratch FOLDER]

Half of the plants are made of real people (schoolgirls, tennis: true masks), half of drawn ones. Every plant lasts for
three frames or concerns the whole file. A plant is found if the audit fails the clip by a check that passes on the same
clip without the plant; the row of the manifest has the planted file's hash, so `bytes` finds nothing. Frames to plant
into are chosen by chance among those that show the person at 300 pixels or more. No check is told where to look.
"""

import argparse
import json
import tempfile
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from pathlib import Path

import av
import cv2
import numpy as np

from benchmarks.clips import SIZE, frames_of, shared
from m2m import video
from m2m.audit.bound import interval
from m2m.audit.clip import ClipAuditor, Subject
from m2m.audit.params import AuditParams
from m2m.audit.rows import Row, row_dict, row_from
from m2m.augment.body import make_body
from m2m.augment.compose import over
from m2m.augment.dataset import augment
from m2m.augment.intermediates import json_lines, mask_of, read_bodies, read_camera, read_json_lines, run_lengths
from m2m.augment.render import make_renderer
from m2m.clips import Clip, file_sha256, read_manifest
from m2m.params import AugmentParams
from m2m.studio import StudioParams, draw_dataset
from m2m.studio.truth import TRUTH
from m2m.video import Writer

LENGTH = 3
"""Frames that a plant lasts for."""
SEGMENT = 20
"""Frames of a piece of a real clip."""
LEAST = 300
"""Pixels that a person must show in the first frame of a plant."""
REAL_FPS, DRAWN_FPS = 24, 8
PARAMS = AugmentParams(keep=("plates", "people", "bodies"))


@dataclass(frozen=True)
class Base:
    """A clip that was augmented, and the truth about its people.

    Attributes:
        subject: What is audited.
        masks: (P, T, H, W) bool, true visible pixels of each person.
        real: Whether these are real people.
    """

    subject: Subject
    masks: np.ndarray
    real: bool


@dataclass(frozen=True)
class Spot:
    """Where something is planted: the person's number and the first frame."""

    person: int
    frame: int

    @property
    def frames(self) -> range:
        """The frames that are planted into."""
        return range(self.frame, self.frame + LENGTH)


def pictures(path: Path) -> list[np.ndarray]:
    """All frames of a clip of the processed size, (H, W, 3) uint8 RGB."""
    return [frame.image for frame in video.read(path, SIZE)]


def write(path: Path, frames: list[np.ndarray], like: Subject, lossless: bool = False) -> Path:
    """Writes frames as M2M does."""
    fps = Fraction(like.clip.fps_num, like.clip.fps_den)
    with Writer(path, SIZE, fps, None if lossless else PARAMS.video, lossless=lossless) as writer:
        for frame in frames:
            writer.write(frame)
    return path


def made_of(subject: Subject, path: Path) -> Subject:
    """The same with another file in its place, of which the manifest knows."""
    return replace(subject, video=path, clip=replace(subject.clip, sha256=file_sha256(path)))


def pasted(frames: list[np.ndarray], originals: list[np.ndarray], masks: np.ndarray, spot: Spot, shift: int) -> None:
    """Puts a person of the original into frames, from the same time or one that is `shift` frames away."""
    for t in spot.frames:
        where = masks[spot.person, t + shift]
        frames[t] = frames[t].copy()
        frames[t][where] = originals[t + shift][where]


def shown(base: Base, spot: Spot, folder: Path, shift: int = 0) -> Subject:
    """The person is on plate and output for three frames; masks stay as they are."""
    made = {}
    for name, path in (("video", base.subject.video), ("plate", base.subject.plate)):
        frames = pictures(path)
        pasted(frames, pictures(base.subject.original), base.masks, spot, shift)
        made[name] = write(folder / f"{name}{path.suffix}", frames, base.subject, lossless=name == "plate")
    return replace(made_of(base.subject, made["video"]), plate=made["plate"])


def unmasked(base: Base, spot: Spot, folder: Path) -> Subject:
    """A mask is missing for three frames: in the record, on the plate and in the output."""
    subject = shown(base, spot, folder)
    path = folder / "people.jsonl.gz"
    with json_lines(path) as write_line:
        for t, line in enumerate(read_json_lines(base.subject.people)):
            if t in spot.frames:
                around = base.masks[spot.person, t].astype(np.uint8)
                around = cv2.dilate(around, np.ones((41, 41), np.uint8)).view(bool)
                line |= {key: run_lengths(mask_of(line[key]) & ~around) for key in ("cover", "region")}
                line["persons"] = [p for p in line["persons"] if not (mask_of(p["segmentation"]) & around).any()]
            write_line(line)
    return replace(subject, people=path)


def unrecorded(base: Base, spot: Spot, folder: Path) -> Subject:
    """The same where only the output was kept, as by default."""
    return replace(shown(base, spot, folder), plate=None, people=None, bodies=None)


def ghost(base: Base, spot: Spot, folder: Path) -> Subject:
    """The fill copied the person from another time."""
    n = base.masks.shape[1]
    far = [t for t in range(n - LENGTH) if abs(t - spot.frame) >= 5 and base.masks[spot.person, t].sum() >= LEAST]
    choice = np.random.default_rng(spot.frame).choice(far) if far else max(0, (spot.frame + n // 2) % (n - LENGTH))
    return shown(base, spot, folder, int(choice) - spot.frame)


def passed(base: Base, spot: Spot, folder: Path) -> Subject:
    """Three originals came through; plates and masks are as they were."""
    frames, originals = pictures(base.subject.video), pictures(base.subject.original)
    for t in spot.frames:
        frames[t] = originals[t]
    return made_of(base.subject, write(folder / "video.mp4", frames, base.subject))


def swapped(base: Base, spot: Spot, folder: Path) -> Subject:
    """The whole output is the original, encoded well or badly."""
    frames, clip = pictures(base.subject.original), base.subject.clip
    how = replace(PARAMS.video, crf=18 + spot.frame % 13)
    with Writer(folder / "video.mp4", SIZE, Fraction(clip.fps_num, clip.fps_den), how) as writer:
        for frame in frames:
            writer.write(frame)
    return made_of(base.subject, folder / "video.mp4")


def shaped(base: Base, spot: Spot, folder: Path) -> Subject:
    """The body's breadth follows somebody's: it is 12 to 25 % broader or narrower for three frames."""
    rng = np.random.default_rng(spot.frame)
    factor = 1 + rng.choice([-1, 1]) * rng.uniform(0.12, 0.25)
    frames, plates = pictures(base.subject.video), pictures(base.subject.plate)
    bodies, camera = read_bodies(base.subject.bodies), read_camera(base.subject.bodies)
    body, renderer = make_body(PARAMS.body), make_renderer(PARAMS.render)
    for t in spot.frames:
        meshes = []
        for b in bodies[t].bodies if t in bodies else ():
            vertices, bones = body.vertices(b.pose, b.transl), body.joints(b.pose, b.transl)
            nearest = bones[np.argmin(np.linalg.norm(vertices[:, None] - bones[None, :22], axis=-1), axis=1)]
            meshes.append((nearest + (vertices - nearest) * factor).astype(np.float32))
        frames[t] = over(plates[t], renderer.render(meshes, body.faces, camera)[0])
    return made_of(base.subject, write(folder / "video.mp4", frames, base.subject))


def sounding(base: Base, spot: Spot, folder: Path) -> Subject:
    """A sound track lies beside the pictures."""
    codec = ("aac", "mp3", "ac3")[spot.frame % 3]
    return made_of(base.subject, muxed(base.subject.video, folder / "video.mp4", sound=codec))


def tagged(base: Base, spot: Spot, folder: Path) -> Subject:
    """A tag holds the source's name."""
    key = ("title", "comment", "artist", "description")[spot.frame % 4]
    return made_of(base.subject, muxed(base.subject.video, folder / "video.mp4", {key: f"of {base.subject.names[0]}"}))


def muxed(source: Path, target: Path, tags: dict[str, str] | None = None, sound: str = "") -> Path:
    """The packets of a clip in a new file, with tags or a tone."""
    with av.open(str(source)) as read, av.open(str(target), "w", options={"movflags": "+faststart"}) as out:
        stream = out.add_stream_from_template(read.streams.video[0])
        out.metadata.update(tags or {})
        audio = out.add_stream(sound, rate=48000) if sound else None
        for packet in read.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                out.mux(packet)
        if audio is not None:
            tone = (np.sin(np.arange(48000) / 8) * 3000).astype(np.float32)[None] / 32768
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(tone), "fltp", "mono")
            frame.rate = 48000
            for packet in (*audio.encode(frame), *audio.encode(None)):
                out.mux(packet)
    return target


KINDS: dict[str, Callable[[Base, Spot, Path], Subject]] = {
    "mask missing": unmasked,
    "mask missing, nothing kept": unrecorded,
    "ghost": ghost,
    "frames passed through": passed,
    "original for output": swapped,
    "varying shape": shaped,
    "sound": sounding,
    "name in a tag": tagged,
}


def real_masks() -> Iterator[tuple[str, list[np.ndarray], np.ndarray]]:
    """Pieces of the real clips with true masks: name, frames, masks (P, T, H, W) bool."""
    from PIL import Image

    folder = shared() / "fixtures"
    ids = np.stack([np.array(Image.open(p)) for p in sorted((folder / "schoolgirls_masks").glob("*.png"))])
    girls = np.stack([ids == girl for girl in (1, 3, 5, 7)])
    player = np.stack([cv2.imread(str(p), 0) > 127 for p in sorted((folder / "tennis" / "masks").iterdir())])[None]
    for name, masks in (("schoolgirls.mp4", girls), ("tennis", player)):
        frames = list(frames_of(name))
        shape = (len(masks), len(frames), SIZE[1], SIZE[0])
        small = [cv2.resize(m.astype(np.uint8), SIZE, interpolation=cv2.INTER_NEAREST) for p in masks for m in p]
        sized = np.stack(small).reshape(shape).view(bool)
        for start in range(0, len(frames) - SEGMENT + 1, SEGMENT):
            piece = slice(start, start + SEGMENT)
            yield f"{Path(name).stem}_{start:03d}", frames[piece], sized[:, piece]


def bases(scratch: Path, drawn: int, workers: int) -> list[Base]:
    """The clips that are planted into: those that were released of all that were made."""
    clips, made = scratch / "clips", scratch / "made"
    known: dict[str, np.ndarray] = {}
    for name, frames, masks in real_masks():
        known[f"real__{name}"] = masks
        path = clips / "real" / f"{name}.mp4"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            with Writer(path, SIZE, Fraction(REAL_FPS), PARAMS.video) as writer:
                for frame in frames:
                    writer.write(frame)
    studio = clips / "studio"
    if not studio.exists():
        draw_dataset(studio, StudioParams(13, -(-drawn // 13), seed=7, fps=DRAWN_FPS, seconds=2.5), workers)
    for file in sorted((studio / TRUTH).rglob("*.npz")):
        with np.load(file, allow_pickle=False) as truth:
            masks = np.unpackbits(truth["masks"], axis=-1, count=SIZE[0]).astype(bool).transpose(1, 0, 2, 3)
        known[f"studio__{file.parent.name}__{file.stem}"] = masks
    augment(clips, made, PARAMS, workers=workers)
    return [
        _base(made, clips, clip, known[clip.clip_id]) for clip in read_manifest(made / "clips.parquet") if clip.path
    ]


def _base(made: Path, clips: Path, clip: Clip, masks: np.ndarray) -> Base:
    name = clip.clip_id
    subject = Subject(
        clip=clip,
        video=made / clip.path,
        original=clips / Path(*name.split("__")).with_suffix(".mp4"),
        plate=made / "plates" / f"{name}.mkv",
        names=(name,),
        colour=PARAMS.render.colour,
        people=made / "people" / f"{name}.jsonl.gz",
        bodies=made / "bodies" / f"{name}.npz",
        body=PARAMS.body,
    )
    return Base(subject, masks, name.startswith("real"))


def spots(base: Base) -> list[Spot]:
    """All places where a person is to be seen for as long as a plant lasts."""
    areas = base.masks.sum((2, 3))
    return [
        Spot(person, t)
        for person in range(len(areas))
        for t in range(areas.shape[1] - LENGTH + 1)
        if areas[person, t : t + LENGTH].min() >= LEAST
    ]


def remembered(path: Path, look: Callable[[], Row]) -> Row:
    """A row of an earlier run, or a new one."""
    if path.exists():
        return row_from(json.loads(path.read_text()))
    row = look()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(row_dict(row)))
    return row


def planted(auditor: ClipAuditor, base: Base, spot: Spot, kind: str) -> Row:
    """The audit of a clip into which a fault was planted."""
    with tempfile.TemporaryDirectory(prefix="m2m-plants-") as folder:
        return auditor(KINDS[kind](base, spot, Path(folder)))


def told(found: int, of: int) -> str:
    """A share with its interval."""
    low, high = interval(found, of) if of else (0.0, 1.0)
    return f"{found:4d} of {of:4d}  {found / max(of, 1):.3f} [{low:.3f}, {high:.3f}]"


def main() -> None:
    """Prints false alarms, and a row a kind of plant."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--each", type=int, default=40, help="plants of a kind, half on real people")
    parser.add_argument("--drawn", type=int, default=26, help="drawn clips to plant into")
    parser.add_argument("--kind", choices=tuple(KINDS), action="append")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--scratch", type=Path, default=Path(tempfile.gettempdir()) / "m2m-plants")
    args = parser.parse_args()
    found = bases(args.scratch, args.drawn, args.workers)
    auditor = ClipAuditor(AuditParams(text_looks=0))
    clean = {
        b.subject.clip.clip_id: remembered(
            args.scratch / "rows" / f"{b.subject.clip.clip_id}.json", partial(auditor, b.subject)
        )
        for b in found
    }
    for real in (True, False):
        rows = [clean[b.subject.clip.clip_id] for b in found if b.real == real]
        wrong = [row for row in rows if row.verdict != "pass"]
        print(f"false alarms, {'real' if real else 'drawn'} people: {told(len(wrong), len(rows))}")
        for row in wrong:
            print(f"    {row.clip_id}: {row.why()}")
    print(f"\n{'plant':28s} {'people':6s} found, 95 % interval            by")
    total = [0, 0]
    for kind in args.kind or KINDS:
        for real in (True, False):
            rng = np.random.default_rng([zlib.crc32(kind.encode()), real])
            chosen = [
                b for b in found if b.real == real and spots(b) and clean[b.subject.clip.clip_id].verdict == "pass"
            ]
            by: dict[str, int] = defaultdict(int)
            hits, missed = 0, []
            for number in range(args.each // 2):
                base = chosen[number % len(chosen)]
                spot = spots(base)[rng.integers(len(spots(base)))]
                name = base.subject.clip.clip_id
                file = args.scratch / "rows" / kind.replace(" ", "_") / f"{name}-{spot.person}-{spot.frame}.json"
                row = remembered(file, partial(planted, auditor, base, spot, kind))
                hits += bool(row.failed)
                for check in row.failed:
                    by[check] += 1
                if not row.failed:
                    missed.append(f"{name}, person {spot.person}, frame {spot.frame}")
            total = [total[0] + hits, total[1] + args.each // 2]
            ways = ", ".join(f"{check} {n}" for check, n in sorted(by.items(), key=lambda item: -item[1]))
            print(f"{kind:28s} {'real' if real else 'drawn':6s} {told(hits, args.each // 2)}   {ways}", flush=True)
            for miss in missed:
                print(f"    missed: {miss}")
    print(f"{'all':35s} {told(*total)}")


if __name__ == "__main__":
    main()

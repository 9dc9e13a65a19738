"""The items of a review: clips as they are, clips with plants, doubtful frames with boxes."""

from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from m2m import video
from m2m.audit.review import media
from m2m.audit.review.doubts import Doubtful, Mark
from m2m.audit.review.key import Item, Key
from m2m.audit.review.plants import FROM_ORIGINAL, KINDS, Box, Plant, drawn, from_original, length
from m2m.audit.review.sample import ReviewParams, carriers, drawn_by_chance
from m2m.clips import Clip
from m2m.errors import InputError, QuarantineError
from m2m.files import file_sha256
from m2m.progress import counter

PAGE = "1"
"""Version of the page and of the plants; raised when what a reviewer sees changes."""
MOST_BYTES = 800_000_000
"""Of the sample's videos as text; with more, browsers become slow or give up."""
TRIES = 3
"""Times of an original at which somebody is looked for to cut out."""

Places = Callable[[np.ndarray], list[tuple[str, Box]]]
"""Where a frame (H, W, 3) uint8 RGB shows somebody: `face` or `person`, and the box."""


class Builder:
    """Makes the items of one review.

    Args:
        folder: The working data set with the videos.
        plates: Folder of plates, which need not be there.
        sources: Originals by clip.
        places: Where an original shows somebody; None without originals.
        chance: Decides which plants are where; the reviewer cannot know it.
        name: Gives the ids of items.
    """

    def __init__(
        self,
        folder: Path,
        plates: Path,
        sources: Mapping[str, Path],
        places: Places | None,
        chance: np.random.Generator,
        name: Callable[[str], str],
    ) -> None:
        self._folder, self._plates, self._sources, self._places = folder, plates, sources, places
        self._chance, self._name = chance, name
        self._planted: dict[str, Plant] = {}
        self._by_id: dict[str, Clip] = {}

    def key(
        self, review: str, dataset: str, params: ReviewParams, released: Sequence[Clip], doubts: Sequence[Doubtful]
    ) -> Key:
        """The items in the order of the page, with what is put into which."""
        self._by_id = {c.clip_id: c for c in released}
        sample = drawn_by_chance(released, params)
        chosen = carriers(released, sample, params.planted(len(sample)), self._chance)
        items = [self._item("sample", clip, len(doubts) + i) for i, clip in enumerate(sample)]
        kinds = [KINDS[i % len(KINDS)] for i in self._chance.permutation(len(chosen))]
        for i, (clip, kind) in enumerate(zip(chosen, kinds, strict=True)):
            plant = self._plant(clip, kind)
            item = self._item("plant", clip, len(doubts) + len(sample) + i, plant=plant.about())
            self._planted[item.item] = plant
            items.append(item)
        first = [self._item("doubtful", d.clip, i, doubts=dict(d.doubts)) for i, d in enumerate(doubts)]
        shuffled = [items[i] for i in self._chance.permutation(len(items))]
        drawn_ids = {c.clip_id for c in sample}
        shared = sum(c.clip_id in drawn_ids for c in chosen)
        return Key(review, dataset, PAGE, params.seed, len(released), shared, (*first, *shuffled))

    def page(self, key: Key, doubts: Sequence[Doubtful]) -> dict[str, Any]:
        """What the page shows: of the doubtful what they are, of the sample pictures and nothing else."""
        by_clip = {d.clip.clip_id: d for d in doubts}
        first, rest, size = [], [], 0
        with counter(len(key.items), "clip", "clips are shown") as advance:
            for item in key.items:
                if item.part == "doubtful":
                    first.append({"id": item.item, **self._doubtful(by_clip[item.clip_id])})
                else:
                    plant = self._planted.get(item.item)
                    rest.append({"id": item.item, "video": self._video(self._by_id[item.clip_id], plant)})
                    size += len(rest[-1]["video"])
                if size > MOST_BYTES:
                    raise InputError(
                        f"the page would have more than {MOST_BYTES // 10**6} MB of video, which browsers do not open",
                        "ask for fewer clips with --sample",
                    )
                advance()
        return {"doubtful": first, "sample": rest}

    def _item(self, part: Any, clip: Clip, number: int, **more: Any) -> Item:
        return Item(self._name(str(number))[:12], part, clip.clip_id, clip.sha256, **more)

    def _file(self, clip: Clip) -> Path:
        path = self._folder / clip.path
        if not path.resolve().is_relative_to(self._folder.resolve()):
            raise InputError(f"the manifest names {clip.path}, which lies outside of the data set")
        try:
            found = file_sha256(path)
        except OSError as error:
            raise InputError(
                f"cannot read {path}: {error.strerror}", "run m2m audit: it says what is missing"
            ) from error
        if found != clip.sha256:
            raise InputError(f"{path} has other bytes than the manifest says", "run m2m augment again, then the audit")
        return path

    def _video(self, clip: Clip, plant: Plant | None = None) -> str:
        path = self._file(clip)
        try:
            frames = plant.into(media.images(path)) if plant is not None else None
            return media.address(media.encoded(path, frames), "video/mp4")
        except QuarantineError as error:
            raise InputError(
                f"{clip.clip_id}: {error.what}", "run m2m audit: a clip that cannot be read fails"
            ) from error

    def _plant(self, clip: Clip, kind: str) -> Plant:
        source, info = self._sources.get(clip.clip_id), video.probe(self._file(clip))
        n, size = max(1, clip.n_frames), (info.width, info.height)
        if kind in FROM_ORIGINAL and source is not None and self._places is not None:
            k = length(kind, n, info.fps, self._chance)
            starts = sorted({int(s) for s in self._chance.integers(0, n - k + 1, TRIES)})
            for first in starts:
                try:
                    frames = [f.image for f in islice(video.read(source, size), first, first + k)]
                except QuarantineError:
                    break  # an original that cannot be read has nobody to cut out; the plant is drawn
                if frames:
                    found = from_original(kind, np.stack(frames), first, self._places(frames[0]), self._chance)
                    if found is not None:
                        return found
        return drawn(kind, n, size, info.fps, self._chance)

    def _doubtful(self, doubt: Doubtful) -> dict[str, Any]:
        """A doubtful clip as the page shows it; one that cannot be read is only told of."""
        shown: dict[str, Any] = {
            "clip": doubt.clip.clip_id,
            "why": doubt.why,
            "words": list(doubt.words),
            "settles": sorted(doubt.doubts),
            "fixed": list(doubt.fixed),
            "stills": [],
            "video": "",
        }
        try:
            path = self._file(doubt.clip)
            shown["video"] = media.address(media.encoded(path), "video/mp4")
            shown["stills"] = [self._still(path, doubt.clip, mark) for mark in doubt.marks]
        except (QuarantineError, InputError) as error:
            shown["words"].append(f"it cannot be shown: {error.what}")
        return shown

    def _still(self, path: Path, clip: Clip, mark: Mark) -> dict[str, Any]:
        boxes = [mark.box] if mark.box is not None else []
        frame = video.picture(path, mark.frame)
        panes = [("finished", frame)]
        size = (frame.shape[1], frame.shape[0])
        plate, source = self._plates / f"{clip.clip_id}.mkv", self._sources.get(clip.clip_id)
        if mark.check == "plate" and plate.is_file():
            panes.append(("plate", video.picture(plate, mark.frame, size)))
        if source is not None:
            panes.append(("original", video.picture(source, mark.frame if mark.source is None else mark.source, size)))
        return {
            "words": f"frame {mark.frame}, {mark.check}: {mark.words}".rstrip(": "),
            "panes": [
                {
                    "name": name,
                    "frame": media.still(image, boxes),
                    "close": media.close_up(image, boxes[0]) if boxes else "",
                }
                for name, image in panes
            ],
        }

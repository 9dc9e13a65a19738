"""Tiny data sets for tests: moving blocks in a few classes, working or published."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from m2m.clips import Clip, DatasetCard, data_hash, file_sha256, write_card, write_manifest
from m2m.published import publish
from m2m.shards import push
from m2m.store import Store
from m2m.video import VideoParams, Writer
from tests.conftest import moving_blocks

SIZE = (64, 48)


def write_set(
    folder: Path, classes: int = 2, clips: int = 4, variant: str = "m2m", frames: int = 8, held: int = 0
) -> DatasetCard:
    """A working data set; the last clip of each class is `val`, and `held` further clips are quarantined."""
    (folder / "videos").mkdir(parents=True)
    rows = []
    for label in range(classes):
        for index in range(clips):
            name = f"class{label}_{index}"
            path = folder / "videos" / f"{name}.mp4"
            with Writer(path, SIZE, Fraction(8), VideoParams(preset="ultrafast", crf=10)) as writer:
                for frame in moving_blocks(frames, SIZE, seed=label):
                    writer.write(frame)
            rows.append(
                Clip(
                    clip_id=name,
                    path=f"videos/{name}.mp4",
                    label=f"class{label}",
                    split="val" if index == clips - 1 else "train",
                    sha256=file_sha256(path),
                    width=SIZE[0],
                    height=SIZE[1],
                    fps_num=8,
                    n_frames=frames,
                )
            )
    refused = {"status": "quarantined", "reason": "unreadable"}
    rows += [Clip(f"held_{index}", "", "class0", "train", **refused) for index in range(held)]
    write_manifest(rows, folder / "clips.parquet")
    card = DatasetCard("blocks", variant, variant != "real", {}, "test/1", ("none",), "", classes * clips, held, "")
    card = replace(card, hash=data_hash(rows))
    write_card(card, folder)
    return card


def publish_set(folder: Path, store: Store, scratch: Path, shards: int = 2) -> str:
    """Publishes a working data set and returns its hash."""
    push(folder, store, scratch / "manifest", shards)
    return publish(scratch / "manifest", store)

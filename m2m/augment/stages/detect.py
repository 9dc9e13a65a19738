"""Detect as a stage: originals to people."""

from functools import partial
from pathlib import Path
from typing import Any

from m2m.augment import versions
from m2m.augment.clip_files import Decoded, Format, Outputs
from m2m.augment.detect import make_detector
from m2m.augment.detect.shots import ShotDetector
from m2m.augment.intermediates import window_lines
from m2m.augment.people import FramePeople
from m2m.augment.stages.shard import Job, Originals, StageSummary, clips_of, held, run_stage, scratch, sections
from m2m.augment.steps import Finder
from m2m.augment.tally import Tally
from m2m.augment.threads import ahead, each
from m2m.augment.window import Window, windows
from m2m.clips import Clip
from m2m.fingerprints import fingerprint
from m2m.params import AugmentParams
from m2m.store import work_store
from m2m.work import Item


def detect_shard(manifest: Path, shard: int, out: Path, params: AugmentParams, *, workers: int = 1) -> StageSummary:
    """Finds the people of a shard.

    Args:
        manifest: A manifest folder; the videos are in the data store.
        shard: The shard's number.
        out: Folder of the results; the people are in the work store.
        params: Parameters of `augment`.
        workers: Processes.

    Raises:
        InputError: An input or a store cannot be used.
        InfrastructureError: The machine, a store or a model's package fails.
    """
    clips, store = clips_of(manifest, shard), work_store()
    with scratch("detect") as folder:
        originals = Originals(manifest, shard, folder / "originals")
        items = [
            Item(clip.clip_id, _fingerprint(clip, params), Job(clip.clip_id, originals.path(clip)))
            for clip in clips
            if clip.status == "ok"
        ]
        made = folder / "made"
        task = partial(DetectTask, params, originals, made)
        return run_stage("detect", shard, out, task, items, held(clips), made=made, store=store, workers=workers)


def _fingerprint(clip: Clip, params: AugmentParams) -> str:
    return fingerprint(clip.sha256, sections(params, "size", "window", "detect"), versions.DETECT)


def _found(finder: Finder, tally: Tally, window: Window) -> tuple[Window, list[FramePeople]]:
    return window, finder.find(window, tally)


class DetectTask:
    """Finds the people of one clip after the other.

    Args:
        params: Parameters of `augment`.
        originals: The shard's videos.
        out: Where to write.
    """

    def __init__(self, params: AugmentParams, originals: Originals, out: Path) -> None:
        originals.fetch()
        self._params = params
        self._out = out
        self._detector = make_detector(params.detect)

    def __call__(self, job: Job) -> dict[str, Any]:
        """Writes the people.

        Returns:
            `outputs`, the format, the tally, and `cuts`, the first frames of all shots but the first.

        Raises:
            QuarantineError: `unreadable`.
        """
        form, tally = Format.read(job.source, self._params.pixels), Tally()
        finder = Finder(self._detector, self._params.window, form.stretch)
        images = Decoded(job.source, form.size, tally).images()
        cuts, p = [], self._params.window
        with Outputs(self._out) as outputs:
            write = outputs.lines("people", f"people/{job.name}.jsonl.gz")
            find = partial(_found, finder, tally)
            for window, people in ahead(each(find, ahead(windows(images, ShotDetector(), p), p.ahead)), p.ahead):
                if window.first and not window.overlap:
                    cuts.append(window.first)
                with tally.timed("encode"):
                    for line in window_lines(window, people):
                        write(line)
                del window, people  # or two windows would be in memory at once
        return {
            "outputs": outputs.paths,
            "n_frames": tally.frames,
            "cuts": cuts,
            "tally": tally.plain(),
            **form.plain(),
        }

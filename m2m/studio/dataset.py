"""A small labelled data set of drawn clips, with the truth in a hidden folder beside them."""

import json
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from m2m.errors import InfrastructureError, InputError
from m2m.files import TEMPORARY, clean, write_atomic
from m2m.fingerprints import canonical, fingerprint
from m2m.parsing import parse_json
from m2m.progress import counter
from m2m.records import Item
from m2m.studio.clip import check, draw_clip
from m2m.studio.plan import Entry, plan, planted_bias
from m2m.studio.population import PEOPLE, people_table
from m2m.studio.recipe import StudioParams
from m2m.studio.truth import TRUTH, tables, truth_paths, write_row, write_truth
from m2m.video import Writer
from m2m.work import FOLDER, locked
from m2m.workers import Task, work

RECIPE = "recipe.json"
DRAWING = 1
"""Raised where the same recipe gives other clips than before."""


def draw_dataset(out: Path, params: StudioParams, workers: int = 1, progress: bool = False) -> list[Path]:
    """Draws a data set, or what an earlier run of the same recipe left to draw.

    Videos are `out/<class>/<name>.mp4`, or `out/<split>/<class>/<name>.mp4` and listed in `out/clips.csv` where there
    are test clips. Under `out/.truth` lie the recipe, the truth of every clip as `write_truth` describes it, and the
    tables: `attributes.csv`; `scene_bias.json` with the planted bias of each class; `people.csv` of a population.

    Args:
        out: A new or empty folder, or one in which the same recipe was drawn in part.
        params: The recipe.
        workers: Processes; their number changes no byte.
        progress: Tell on stderr how far it is.

    Returns:
        The videos, in order of split, class and number.

    Raises:
        InputError: The folder holds something else, another run draws in it, or a parameter is out of range.
        InfrastructureError: The disk is full, or a worker dies again and again.
    """
    if workers < 1:
        raise InputError(f"workers must be 1 or more, not {workers}")
    entries = plan(params)
    check(entries[0].spec)
    _stop_if_other(out, params, entries)
    with locked(out / TRUTH):
        clean(out)
        if not (out / TRUTH / RECIPE).exists():
            own = {"drawing": DRAWING, "fingerprint": fingerprint(DRAWING, params), "recipe": canonical(params)}
            write_atomic(out / TRUTH / RECIPE, _json(own))
        todo = [e for e in entries if not _drawn(out, e)]
        with counter(len(todo), "clip", "drawing", progress) as advance:
            for _ in _all(out, todo, workers):
                advance()
        for path, data in _tables(out, params, entries).items():
            write_atomic(out / path, data)
    return [out / e.path for e in entries]


def draw_entry(out: Path, entry: Entry) -> None:
    """Draws one clip and its truth; every file appears whole, the row of the table last."""
    clip, truth = draw_clip(entry.spec), out / TRUTH / entry.folder
    write_truth(clip, truth, entry.name)
    with Writer(out / entry.path, entry.spec.size, entry.spec.fps, decoded=False) as writer:
        for frame in clip.frames:
            writer.write(frame)
    write_row(entry, clip, truth)


def _all(out: Path, entries: list[Entry], workers: int) -> Iterator[None]:
    if workers == 1 or len(entries) < 2:
        for entry in entries:
            draw_entry(out, entry)
            yield
        return
    items = [Item(e.path, "", e) for e in entries]
    with closing(work(partial(_task, out), items, out, workers)) as finished:
        for record, _ in finished:
            if record.status != "ok":
                raise InfrastructureError(f"{record.name} could not be drawn: {record.what}", "run again to go on")
            yield


def _task(out: Path) -> Task:
    def draw(entry: Entry) -> dict[str, Any]:
        draw_entry(out, entry)
        return {}

    return draw


def _tables(out: Path, params: StudioParams, entries: list[Entry]) -> dict[str, bytes]:
    """The tables by path relative to the data set; the rows of attributes are read back from the clips' truth."""
    rows = (parse_json((out / TRUTH / e.folder / f"{e.name}.json").read_bytes()) for e in entries)
    made = tables(params, entries, rows)
    if params.scene_bias:
        made[f"{TRUTH}/scene_bias.json"] = _json(planted_bias(params))
    if params.people:
        made[f"{TRUTH}/{PEOPLE}"] = people_table({e.name: e.spec for e in entries}).encode()
    return made


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=1, sort_keys=True) + "\n").encode()


def _drawn(out: Path, entry: Entry) -> bool:
    """All files of a clip are there; each is whole where it is there."""
    groups = truth_paths(out / TRUTH / entry.folder, entry.name)
    return (out / entry.path).is_file() and all(any(p.is_file() for p in group) for group in groups)


def _stop_if_other(out: Path, params: StudioParams, entries: list[Entry]) -> None:
    """Refuses a folder that holds anything but a part of this data set."""
    if not out.exists():
        return
    if not out.is_dir():
        raise InputError(f"{out} is not an empty folder", "name a new one, or remove it")
    found = sorted(p.relative_to(out).as_posix() for p in out.rglob("*") if p.is_symlink() or not p.is_dir())
    found = [f for f in found if f != f"{TRUTH}/{FOLDER}/lock" and not PurePosixPath(f).match(TEMPORARY)]
    recipe = out / TRUTH / RECIPE
    if not recipe.is_file():
        if found:
            raise InputError(f"{out} is not an empty folder: it holds {found[0]}", "name a new one, or remove it")
        return
    try:
        kept = parse_json(recipe.read_bytes())
        theirs = canonical(StudioParams()) | dict(kept["recipe"])  # it may be older than a parameter
        drawing = kept["drawing"]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(f"{recipe} is not a recipe of the studio: {error}", "name a new folder") from error
    ours = canonical(params)
    if (drawing, theirs) != (DRAWING, ours):
        other = [f"{k} {v} there, {ours.get(k)} here" for k, v in theirs.items() if ours.get(k) != v]
        why = other[0] if other else "drawn by another version"
        raise InputError(f"{out} holds the clips of another recipe ({why})", "name a new folder, or remove that one")
    known = {e.path for e in entries} | {f"{TRUTH}/{RECIPE}", *_names_of_tables(params, entries)}
    for entry in entries:
        groups = truth_paths(Path(TRUTH, entry.folder), entry.name)
        known |= {p.as_posix() for group in groups for p in group}
    if foreign := [f for f in found if f not in known]:
        raise InputError(f"{out} holds {foreign[0]}, which is not of this data set", "move it, or name a new folder")


def _names_of_tables(params: StudioParams, entries: list[Entry]) -> set[str]:
    named = set(tables(params, entries[:1], ()))
    return named | {f"{TRUTH}/scene_bias.json", f"{TRUTH}/{PEOPLE}"}

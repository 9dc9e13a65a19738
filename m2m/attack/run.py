"""Runs attackers on data sets of the same clips and writes the table."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from m2m import __version__, work
from m2m.attack import trials
from m2m.attack.material import CONTROL, REAL, Material, gather
from m2m.attack.params import AttackParams
from m2m.attack.people import PeopleTable, read_people
from m2m.attack.pieces import CODE_VERSION, Pieces
from m2m.attack.rows import (
    Row,
    clip_figure,
    guess_rows,
    linkage_rows,
    matching_rows,
    mean,
    membership_row,
    row,
)
from m2m.attack.split import open_set
from m2m.augment.compose import MESHED
from m2m.errors import InputError
from m2m.files import write_atomic
from m2m.fingerprints import canonical

FIGURES = "attack.json"
SCHEMA = 1


@dataclass(frozen=True)
class Attacked:
    """What attackers came to.

    Attributes:
        out: Folder of `attack.json`.
        rows: The table.
        conditions: Under which it holds.
        notes: What was not run, and what else limits it.
        made: Pieces that were made.
        found: Pieces that an earlier run had made.
    """

    out: Path
    rows: tuple[Row, ...]
    conditions: dict[str, Any]
    notes: tuple[str, ...]
    made: int
    found: int

    @property
    def figures(self) -> dict[str, Any]:
        """What is in `attack.json`."""
        return {
            "schema": SCHEMA,
            "rows": [asdict(r) for r in self.rows],
            "conditions": self.conditions,
            "notes": list(self.notes),
        }


def attack(
    datasets: Sequence[Path],
    out: Path,
    params: AttackParams | None = None,
    *,
    originals: Path | None = None,
    people: Path | None = None,
    laboratory: str = "",
    say: Callable[[str], None] = lambda _: None,
) -> Attacked:
    """Runs attackers; what an earlier run finished is not done again.

    Args:
        datasets: Data sets of the same clips, one a variant.
        out: Folder of `attack.json`; pieces lie in `out/.m2m`.
        params: Which attackers, and how hard they try; None: the defaults.
        originals: What the data sets were made from, where that is no data set of the variant `real`.
        people: Who is in which clip, as `m2m.attack.people.read_people` reads it.
        laboratory: What kind of data this is, for the conditions; empty: the user's own.
        say: Tells what is being done.

    Raises:
        InputError: The data sets are of other clips, the table of people does not fit, or there are too few persons.
        InfrastructureError: The disk is full.
    """
    params, material = params or AttackParams(), gather(datasets, originals)
    known = None
    if people is not None:
        known = read_people(people)
        both = tuple(c for c in material.clip_ids if c in set(known.clip_ids))
        if not both:
            raise InputError(f"{people} names none of the clips", f"their ids are like {material.clip_ids[0]!r}")
        known, material = known.only(both), replace(material, clip_ids=both)
        if set(params.attackers) - {"linkage", "membership"}:
            open_set(known, params.seeds[0])  # too few persons: better said now than after an hour
    pieces = Pieces(out / ".m2m" / "pieces", say)
    bench = trials.Bench(material, known, params, pieces, out)
    rows, notes = [], _notes(material)
    with work.locked(out):
        for attacker in params.attackers:
            why = trials.lacks(bench, attacker)
            if why:
                notes.append(f"{attacker}: not run: {why}")
                continue
            found, said = ATTACKS[attacker](bench)
            rows += found
            notes += said
        conditions = _conditions(bench, laboratory)
        done = Attacked(out, tuple(rows), conditions, tuple(notes), pieces.made, pieces.found)
        text = json.dumps(canonical(done.figures), indent=1, ensure_ascii=False, allow_nan=False)
        write_atomic(out / FIGURES, (text + "\n").encode())
    return done


def _notes(material: Material) -> list[str]:
    notes = []
    if material.missing:
        notes.append(f"{material.missing} clips are not in every variant and were left out")
    if CONTROL not in material.variants:
        notes.append(f"there is no variant {CONTROL}: nothing tells what the scene alone gives away")
    return notes


def _conditions(bench: trials.Bench, laboratory: str) -> dict[str, Any]:
    known: PeopleTable | None = bench.people
    who = (
        {}
        if known is None
        else {"persons": len(set(known.persons.tolist())), "places": len(set(known.places.tolist()))}
    )
    return {
        "data": laboratory or "the user's own",
        "clips": len(bench.material.clip_ids),
        **who,
        "variants": {v.name: v.hash for v in bench.material.variants.values()},
        "params": canonical(bench.params),
        "code_version": CODE_VERSION,
        "version": __version__,
        "interval": "95 %, resampling persons (clips for linkage, membership and silhouette) with replacement",
        "split": "half of the persons are learnt from, the others attacked; gallery and probe differ in clip and place",
    }


Found = tuple[list[Row], list[str]]


def _pictured(bench: trials.Bench) -> list[str]:
    return list(bench.material.variants)


def _face(bench: trials.Bench) -> Found:
    found = {v: trials.faces(bench, v) for v in _pictured(bench)}
    # Where no face is found all clips are alike, and the figures are those of a guess.
    tests = {v: t for v, (t, _) in found.items()}
    notes = [f"face: a face was found in {100 * share:.0f} % of the clips of {v}" for v, (_, share) in found.items()]
    return matching_rows("face", tests, CONTROL, bench.params.resamples), notes


def _dressed(bench: trials.Bench, name: str) -> dict[str, str]:
    """In what clothes the gallery is, by the attacker's name."""
    if bench.who.clothes is None:
        return {name: "any"}
    kinds = {f"{name}, same clothes": "same", f"{name}, other clothes": "other"}
    return kinds if len(set(bench.who.clothes.tolist())) > 1 else {f"{name}, same clothes": "same"}


def _colours(bench: trials.Bench) -> Found:
    rows = []
    for name, clothes in _dressed(bench, "colours").items():
        tests = {v: trials.colour_tests(bench, v, clothes) for v in _pictured(bench)}
        rows += matching_rows(name, tests, CONTROL, bench.params.resamples)
    return rows, []


def _body(bench: trials.Bench) -> Found:
    found = {v: trials.bodies(bench, v) for v in _pictured(bench)}
    rows = []
    for name, clothes in _dressed(bench, "body").items():
        tests = {v: trials.body_tests(bench, f, clothes) for v, f in found.items()}
        rows += matching_rows(name, tests, CONTROL, bench.params.resamples)
    return rows, []


def _attributes(bench: trials.Bench) -> Found:
    found = {v: trials.bodies(bench, v) for v in _pictured(bench)}
    rows = []
    learnt = [open_set(bench.who, seed).train for seed in bench.params.seeds]
    for name, values in bench.who.attributes.items():
        words = np.array(values)
        guesses = {}
        for variant, pieces in found.items():
            guesses[variant] = [
                _asked(words, bench.who.persons, p["rows"], p[f"guess {name}"], train)
                for p, train in zip(pieces, learnt, strict=True)
            ]
        if all(len(np.unique(true)) > 1 for tests in guesses.values() for true, *_ in tests):
            rows += guess_rows(f"attributes: {name}", guesses, CONTROL, bench.params.resamples)
    return rows, []


def _asked(
    words: np.ndarray, persons: np.ndarray, rows: np.ndarray, guessed: np.ndarray, train: np.ndarray
) -> tuple[np.ndarray, ...]:
    """What is true, guessed and of whom, for clips whose value somebody in training has."""
    there = np.isin(words[rows], words[train])
    return words[rows][there], guessed[there], persons[rows][there]


def _identity(bench: trials.Bench) -> Found:
    persons = bench.who.persons
    found = {v: trials.known_persons(bench, v) for v in _pictured(bench)}
    guesses = {v: [(persons[p["rows"]], p["guess"], persons[p["rows"]]) for p in f] for v, f in found.items()}
    return guess_rows("identity", guesses, CONTROL, bench.params.resamples), []


def _motion(bench: trials.Bench) -> Found:
    tests = {v: trials.motions(bench, v) for v in _pictured(bench)}
    return matching_rows("motion", tests, CONTROL, bench.params.resamples), []


def _gait(bench: trials.Bench) -> Found:
    drawn = sorted(MESHED & set(bench.material.variants), reverse=True)
    name = "m2m" if "m2m" in drawn else drawn[0]
    rows = matching_rows("gait", {name: trials.gaits(bench)}, CONTROL, bench.params.resamples)
    return rows, ["gait: poses are those that were drawn; a reader of pictures has less"]


def _silhouette(bench: trials.Bench) -> Found:
    found, resamples = trials.outlines(bench), bench.params.resamples
    iou, prior = (clip_figure([(p["rows"], p[k]) for p in found], mean, 0.0, resamples) for k in ("iou", "prior"))
    # The mean place of people in training is what somebody knows who has not seen the plate.
    iou = replace(iou, chance=prior.value)
    rows = [row("silhouette", CONTROL, "iou", iou, prior)]
    if len(set(bench.material.labels)) > 1:
        guesses = [(p["action"], p["guess"], p["rows"]) for p in found]
        rows += guess_rows("silhouette: action", {CONTROL: guesses}, CONTROL, resamples)
    return rows, ["silhouette: chance and control are the overlap of the mean mask of training"]


def _linkage(bench: trials.Bench) -> Found:
    made = [v for v in bench.material.variants if v != REAL]
    ranks = {v: trials.links(bench, v) for v in made}
    return linkage_rows(ranks, CONTROL, bench.params.resamples), [
        f"linkage: among {len(bench.material.clip_ids)} sources"
    ]


def _membership(bench: trials.Bench) -> Found:
    from m2m.attack.membership import KINDS

    there = [v for v in trials.TRAINED_ON if v in bench.material.variants]
    rows = []
    for kind in KINDS:
        for trained_on in there:
            for asked in there:
                tests = trials.memories(bench, trained_on, asked, kind)
                name = f"membership: {kind}, asked with {asked}"
                rows.append(membership_row(name, trained_on, tests, bench.params.resamples))
    return rows, []


ATTACKS: dict[str, Callable[[trials.Bench], Found]] = {
    "face": _face,
    "colours": _colours,
    "body": _body,
    "attributes": _attributes,
    "identity": _identity,
    "motion": _motion,
    "gait": _gait,
    "silhouette": _silhouette,
    "linkage": _linkage,
    "membership": _membership,
}

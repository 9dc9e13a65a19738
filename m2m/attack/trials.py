"""The trials: every attacker on every variant and seed, as pieces that a second run finds again."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from m2m.attack import colours, face, linkage, movement
from m2m.attack.figures import Matching
from m2m.attack.material import CONTROL, REAL, Material, crops, read_frames
from m2m.attack.params import CROP, FRAMES, LEARNT_FRAMES, PLATE, PLATE_FRAMES, AttackParams
from m2m.attack.people import PeopleTable
from m2m.attack.pieces import Arrays, Pieces
from m2m.attack.split import by_place, comparable, open_set
from m2m.augment.compose import MESHED
from m2m.augment.intermediates import people_of, read_json_lines

TRAINED_ON = (REAL, "m2m")
"""Variants on which models are trained whose memory is tested."""


@dataclass(frozen=True)
class Bench:
    """What all trials share.

    Attributes:
        material: The data sets.
        people: Who is in their clips, in the order of clip ids; None where nobody says.
        params: How hard attackers try.
        pieces: Where what is finished lies.
        out: Folder of the results.
    """

    material: Material
    people: PeopleTable | None
    params: AttackParams
    pieces: Pieces
    out: Path

    @property
    def identity(self) -> list:
        """What every piece depends on: the clips and who is in them."""
        known = self.people
        who = [] if known is None else [known.persons.tolist(), known.places.tolist(), known.attributes]
        return [list(self.material.clip_ids), who]

    def of(self, variant: str) -> list:
        """What a piece of one variant depends on."""
        return [*self.identity, self.material.variants[variant].hash]

    @property
    def who(self) -> PeopleTable:
        """The people; an attacker that needs them is not started without."""
        assert self.people is not None
        return self.people


def pictures(bench: Bench, variant: str) -> np.ndarray:
    """(N, FRAMES, CROP, CROP, 3) uint8: the person of every clip."""

    def make() -> Arrays:
        cut, without = crops(bench.material, variant, FRAMES, CROP)
        return {"crops": cut, "without": np.array(without)}

    return bench.pieces.get(f"crops-{variant}", [*bench.of(variant), FRAMES, CROP], make)["crops"]


def faces(bench: Bench, variant: str) -> tuple[list[Matching], float]:
    """Tests of the face attacker, and the share of clips in which it found a face."""

    def make() -> Arrays:
        found = face.describe(bench.material, variant)
        return {"descriptors": found.descriptors}

    descriptors = bench.pieces.get(f"face-{variant}", bench.of(variant), make)["descriptors"]
    tests = []
    for seed in bench.params.seeds:
        rows = open_set(bench.who, seed).test
        tests.append(_matching(bench, face.alike(descriptors[rows]), rows))
    return tests, float((~np.isnan(descriptors[:, 0])).mean())


def bodies(bench: Bench, variant: str) -> list[Arrays]:
    """For every seed what the network made of strangers: embeddings, `rows`, and its guesses of attributes."""
    people, params = bench.who, bench.params
    out = []
    for seed in params.seeds:

        def make(seed: int = seed) -> Arrays:
            from m2m.attack.network import learn

            split, seen = open_set(people, seed), pictures(bench, variant)
            few = np.linspace(0, FRAMES - 1, LEARNT_FRAMES).round().astype(int)
            targets = {"person": people.persons[split.train]}
            targets |= {k: np.array(v)[split.train] for k, v in people.attributes.items()}
            learnt = learn(seen[split.train][:, few], targets, params.epochs, seed)
            asked = seen[split.test][:, few]
            guesses = {f"guess {k}": v for k, v in learnt.guesses(asked).items() if k != "person"}
            return {"rows": split.test, "embeddings": learnt.embeddings(asked), **guesses}

        out.append(bench.pieces.get(f"body-{variant}-{seed}", [*bench.of(variant), params.epochs], make))
    return out


def body_tests(bench: Bench, found: list[Arrays], clothes: str) -> list[Matching]:
    """Tests of the body attacker, the gallery as `comparable` takes it."""
    return [_matching(bench, p["embeddings"] @ p["embeddings"].T, p["rows"], clothes) for p in found]


def colour_tests(bench: Bench, variant: str, clothes: str) -> list[Matching]:
    """Tests of the attacker by colours, the gallery as `comparable` takes it."""
    features = colours.describe(pictures(bench, variant))
    rows = [open_set(bench.who, seed).test for seed in bench.params.seeds]
    return [_matching(bench, colours.alike(features[r]), r, clothes) for r in rows]


def known_persons(bench: Bench, variant: str) -> list[Arrays]:
    """For every seed the persons that were recognised at new places: `rows` and `guess`."""
    people, params = bench.who, bench.params
    out = []
    for seed in params.seeds:

        def make(seed: int = seed) -> Arrays:
            from m2m.attack.network import learn

            split, seen = by_place(people, seed), pictures(bench, variant)
            few = np.linspace(0, FRAMES - 1, LEARNT_FRAMES).round().astype(int)
            learnt = learn(seen[split.train][:, few], {"person": people.persons[split.train]}, params.epochs, seed)
            return {"rows": split.test, "guess": learnt.guesses(seen[split.test][:, few])["person"]}

        out.append(bench.pieces.get(f"identity-{variant}-{seed}", [*bench.of(variant), params.epochs], make))
    return out


def motions(bench: Bench, variant: str) -> list[Matching]:
    """Tests of the attacker by what moves in pictures."""
    features = movement.pictures(pictures(bench, variant))
    return [_by_movement(bench, features, seed) for seed in bench.params.seeds]


def gaits(bench: Bench) -> list[Matching]:
    """Tests of the attacker by drawn poses."""
    folder = bench.material.bodies
    assert folder is not None

    def make() -> Arrays:
        return {"features": movement.poses(folder, bench.material.clip_ids)}

    source = next(v.hash for v in bench.material.variants.values() if v.folder == folder.parent)
    features = bench.pieces.get("poses", [*bench.identity, source], make)["features"]
    return [_by_movement(bench, features, seed) for seed in bench.params.seeds]


def _by_movement(bench: Bench, features: np.ndarray, seed: int) -> Matching:
    split = open_set(bench.who, seed)
    plain = movement.without_action(features, bench.material.labels, split.train)
    found = movement.embed(plain, bench.who.persons, split.train)[split.test]
    scores = found @ found.T
    return _matching(bench, np.where(np.isnan(scores), 0.0, scores), split.test)


def _matching(bench: Bench, scores: np.ndarray, rows: np.ndarray, clothes: str = "any") -> Matching:
    return Matching(scores, bench.who.persons[rows], comparable(bench.who, rows, clothes))


def outlines(bench: Bench) -> list[Arrays]:
    """For every seed `rows`, by clip `iou` of the person and `prior` of the mean mask, `action` and its `guess`."""
    plates = bench.pieces.get("plates", [*bench.of(CONTROL), PLATE, PLATE_FRAMES], lambda: _plates(bench))
    images, masks, params = plates["images"].astype(np.float32) / 255, plates["masks"], bench.params
    words = np.unique(bench.material.labels)
    numbers = np.searchsorted(words, bench.material.labels)
    out = []
    for seed in params.seeds:

        def make(seed: int = seed) -> Arrays:
            from m2m.attack.silhouette import classify, segment

            split = by_place(bench.who, seed)
            one, two = (
                (images[rows].reshape(-1, *images.shape[2:]), masks[rows].reshape(-1, *masks.shape[2:]))
                for rows in (split.train, split.test)
            )
            iou, prior = segment(one, two, params.plate_epochs, seed)
            each = {"iou": iou, "prior": prior}
            found = {k: v.reshape(len(split.test), -1).mean(1) for k, v in each.items()}
            known = images[split.train], numbers[split.train]
            guess = classify(known, images[split.test], len(words), 3 * params.plate_epochs, seed)
            return {**found, "rows": split.test, "guess": guess, "action": numbers[split.test]}

        out.append(bench.pieces.get(f"silhouette-{seed}", [*bench.of(CONTROL), params.plate_epochs], make))
    return out


def _plates(bench: Bench) -> Arrays:
    """Plates and the masks of who was found on the originals, at reduced size."""
    folder = people_folder(bench.material)
    assert folder is not None
    images, masks = [], []
    for name in bench.material.clip_ids:
        at, shown = read_frames(Path(bench.material.variants[CONTROL].clips[name].path), PLATE_FRAMES)
        at = at[np.linspace(0, len(at) - 1, PLATE_FRAMES).round().astype(int)]
        lines = [people_of(line) for line in read_json_lines(folder / f"{name}.jsonl.gz") if not line.get("context")]
        found = [np.any([p.mask for p in lines[t].persons] or [lines[t].cover & False], axis=0) for t in at]
        few = np.linspace(0, len(shown) - 1, PLATE_FRAMES).round().astype(int)
        images.append([cv2.resize(shown[i], PLATE, interpolation=cv2.INTER_AREA) for i in few])
        masks.append([cv2.resize(m.astype(np.float32), PLATE, interpolation=cv2.INTER_AREA) for m in found])
    return {"images": np.array(images, np.uint8), "masks": np.array(masks, np.float32)}


def people_folder(material: Material) -> Path | None:
    """A folder that holds the people of all clips, if some data set kept them."""
    for variant in material.variants.values():
        folder = variant.folder / "people"
        if folder.is_dir() and all((folder / f"{c}.jsonl.gz").is_file() for c in material.clip_ids):
            return folder
    return None


def links(bench: Bench, variant: str) -> dict[str, np.ndarray]:
    """The places of the true source of every clip by each way of looking for it."""

    def read(name: str) -> linkage.Traces:
        def make() -> Arrays:
            found = linkage.traces(bench.material, name)
            return {"scenes": found.scenes, "curves": found.curves, "lengths": found.lengths}

        known = [list(bench.material.clip_ids), bench.material.variants[name].hash]
        return linkage.Traces(**bench.pieces.get(f"traces-{name}", known, make))

    made, sources = read(variant), read(REAL)
    return {way: linkage.ranks(linkage.gaps(made, sources, way)) for way in linkage.WAYS}


def memories(bench: Bench, trained_on: str, asked_with: str, kind: str) -> list[Arrays]:
    """For every seed `losses` of clips and whether they are `members`, clips left out left out."""
    from m2m.attack.membership import losses, split_members

    material, params, out = bench.material, bench.params, []
    for seed in params.seeds:
        members = split_members(material.clip_ids, material.labels, params.members, seed)

        def make(seed: int = seed, members: np.ndarray = members) -> Arrays:
            home = bench.out / ".m2m" / "models" / f"{kind}-{trained_on}-{seed}"
            found = losses(material, trained_on, asked_with, members, kind, params.member_epochs, seed, home)
            return {"losses": found[members >= 0], "members": members[members >= 0]}

        known = [bench.of(trained_on), bench.of(asked_with), params.members, params.member_epochs]
        out.append(bench.pieces.get(f"membership-{kind}-{trained_on}-by-{asked_with}-{seed}", known, make))
    return out


def lacks(bench: Bench, attacker: str) -> str:
    """Why an attacker cannot be run on these data sets, in words; empty if it can."""
    material = bench.material
    if attacker not in ("linkage", "membership") and bench.people is None:
        return "nobody says who is in the clips (--people)"
    if attacker in ("colours", "body", "attributes", "identity", "motion", "gait", "face") and material.bodies is None:
        return "no data set kept its bodies, which say where people are (m2m augment --keep bodies)"
    if attacker == "face" and not face.available():
        return f"{face.PACKAGES} are not installed (the extra attack)"
    if attacker == "gait" and not MESHED & set(material.variants):
        return "no variant draws bodies"
    if attacker == "attributes" and bench.people is not None and not bench.people.attributes:
        return "the table of people has no attribute of 2 to 12 values"
    if attacker in ("identity", "silhouette") and bench.people is not None and len(set(bench.who.places.tolist())) < 3:
        return "people are seen in fewer than three places"
    if attacker == "silhouette":
        if CONTROL not in material.variants:
            return f"there is no variant {CONTROL}"
        if people_folder(material) is None:
            return "no data set kept its people, whose masks it learns from (m2m augment --keep people)"
    if attacker == "linkage" and (REAL not in material.variants or len(material.variants) < 2):
        return "it needs the originals and something made of them (--originals)"
    if attacker == "membership":
        if not set(TRAINED_ON) & set(material.variants):
            return f"there is neither {' nor '.join(TRAINED_ON)}"
        if len(set(material.labels)) < 2:
            return "the clips have no two labels to train on"
        if min(material.labels.count(w) for w in set(material.labels)) < 4:
            return "a label has fewer than four clips"
    return ""

import json
from pathlib import Path

import numpy as np
import pytest

from m2m.attack import face
from m2m.attack.membership import split_members
from m2m.attack.params import AttackParams
from m2m.attack.reading import readings
from m2m.attack.rows import ABOVE, BEYOND, NOTHING, PLATE, Row, membership_row
from m2m.attack.run import FIGURES, Attacked, attack
from m2m.attacks import attack_and_report
from m2m.cli import main
from m2m.errors import InputError
from m2m.report.attack import PAGE, TEXT, write_attack_report
from tests.attack.labs import PERSONS, PLACES, laboratory

QUICK = {"epochs": 4, "plate_epochs": 2, "member_epochs": 2, "members": 8, "resamples": 60, "seeds": (0, 1)}
VARIANTS = ("real", "m2m", "no_human")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Path], Path]:
    root = tmp_path_factory.mktemp("lab")
    people = laboratory(root)
    return [root / v for v in VARIANTS], people


@pytest.fixture(scope="module")
def done(lab: tuple[list[Path], Path], tmp_path_factory: pytest.TempPathFactory) -> Attacked:
    chosen = ("colours", "body", "attributes", "identity", "motion", "gait", "silhouette", "linkage")
    return attack(lab[0], tmp_path_factory.mktemp("out"), AttackParams(chosen, **QUICK), people=lab[1])


def row(done: Attacked, attacker: str, variant: str, figure: str = "rank1") -> Row:
    return next(r for r in done.rows if (r.attacker, r.variant, r.figure) == (attacker, variant, figure))


def test_colours_tell_persons_and_what_is_grey_or_gone_does_not(done: Attacked) -> None:
    real, plate = (row(done, "body, same clothes", v, "auc") for v in ("real", "no_human"))
    assert real.verdict == BEYOND and real.low > 0.6 and real.over_control is not None
    assert row(done, "body, other clothes", "real", "auc").value > plate.value
    assert plate.control is None and plate.low <= 0.6
    assert row(done, "identity", "real", "balanced_accuracy").value > 0.5
    assert row(done, "identity", "no_human", "balanced_accuracy").value < 0.5


def test_colours_need_nothing_learnt(done: Attacked) -> None:
    assert row(done, "colours, same clothes", "real").verdict == BEYOND
    assert row(done, "colours, same clothes", "real").value > 0.8
    assert row(done, "colours, same clothes", "m2m").value < 0.5


def test_the_bend_of_their_arms_tells_persons(done: Attacked) -> None:
    gait = row(done, "gait", "m2m")
    assert gait.verdict == ABOVE and gait.value > 0.6 > gait.chance
    assert gait.n == 2 * (PERSONS // 2) * PLACES and gait.seeds == 2
    assert not any(r.attacker == "gait" and r.variant != "m2m" for r in done.rows)


def test_the_scene_links_a_clip_to_its_source_with_or_without_a_body(done: Attacked) -> None:
    m2m = row(done, "linkage: scene", "m2m")
    assert m2m.value > 3 * m2m.chance and m2m.chance == 1 / (PERSONS * PLACES)
    assert m2m.verdict in (PLATE, BEYOND) and m2m.control is not None
    length = row(done, "linkage: length", "m2m", "median_rank")
    assert length.value == length.chance and length.verdict == NOTHING  # all are as long


def test_what_is_written_says_what_was_done(done: Attacked, lab: tuple[list[Path], Path]) -> None:
    said = json.loads((done.out / FIGURES).read_text())
    assert said["schema"] == 1 and len(said["rows"]) == len(done.rows)
    assert {"attacker", "variant", "figure", "value", "low", "high", "chance", "n", "seeds"} <= set(said["rows"][0])
    assert said["conditions"]["clips"] == PERSONS * PLACES and said["conditions"]["persons"] == PERSONS
    assert all(np.isfinite([r["value"], r["low"], r["high"]]).all() for r in said["rows"])
    assert all(r["low"] <= r["high"] for r in said["rows"])
    write_attack_report(done)
    page, text = (done.out / PAGE).read_text(), (done.out / TEXT).read_text()
    for sentence in readings(done.rows):
        assert sentence in text
    assert "linkage: scene" in page and page.count("<tr>") == len(done.rows) + 1


def test_what_is_done_is_not_done_again(done: Attacked, lab: tuple[list[Path], Path]) -> None:
    params = AttackParams(("body", "gait"), **QUICK)
    again = attack(lab[0], done.out, params, people=lab[1])
    assert again.made == 0 and again.found > 0
    known = {(r.attacker, r.variant, r.figure): r for r in done.rows}
    assert all(known[r.attacker, r.variant, r.figure] == r for r in again.rows)
    damaged = next((done.out / ".m2m" / "pieces").glob("poses.*"))
    damaged.write_bytes(b"half")
    assert attack(lab[0], done.out, params, people=lab[1]).made == 1


def test_what_is_missing_is_told_and_not_run(lab: tuple[list[Path], Path], tmp_path: Path) -> None:
    real, m2m, _ = lab[0]
    alone = attack([m2m], tmp_path / "a", AttackParams(("silhouette", "linkage", "gait"), **QUICK), people=lab[1])
    assert not [r for r in alone.rows if r.attacker != "gait"]
    notes = "\n".join(alone.notes)
    assert "silhouette: not run: there is no variant no_human" in notes and "linkage: not run" in notes
    nobody = attack([m2m], tmp_path / "b", AttackParams(("linkage", "body"), **QUICK), originals=real)
    assert {r.attacker.split(":")[0] for r in nobody.rows} == {"linkage"}
    assert any("body: not run: nobody says" in n for n in nobody.notes)


def test_a_missing_face_package_is_a_note(
    lab: tuple[list[Path], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(face, "available", lambda: False)
    found = attack(lab[0], tmp_path, AttackParams(("face",), **QUICK), people=lab[1])
    assert not found.rows and any("face: not run" in n and "installed" in n for n in found.notes)


def test_clips_without_a_face_are_guessed() -> None:
    known = np.random.default_rng(0).normal(size=(5, 128))
    known[3] = np.nan
    scores = face.alike(known)
    assert len(set(np.delete(scores[3], 3))) == 1 and not np.isnan(scores).any()
    assert face.alike(np.full((3, 128), np.nan)).tolist() == np.zeros((3, 3)).tolist()


def test_wrong_inputs_are_told(lab: tuple[list[Path], Path], tmp_path: Path) -> None:
    m2m = lab[0][1]
    with pytest.raises(InputError, match="both m2m"):
        attack([m2m, m2m], tmp_path)
    other = tmp_path / "other"
    laboratory(other, persons=1, variants=("real",))
    for path in (other / "real" / "videos").iterdir():
        path.rename(path.with_name("x" + path.name))
    with pytest.raises(InputError, match="no clip in common"):
        attack([m2m], tmp_path / "out", originals=other / "real" / "videos")
    few = tmp_path / "few.csv"
    few.write_text("clip_id,person,place\nbow_000,a,x\nwave_001,b,y\n")
    with pytest.raises(InputError, match="4 persons or more"):
        attack([m2m], tmp_path / "out", people=few)
    few.write_text("clip_id,person,place\nnobody,a,x\n")
    with pytest.raises(InputError, match="names none of the clips"):
        attack([m2m], tmp_path / "out", people=few)
    for wrong, why in (({"attackers": ["psychic"]}, "psychic"), ({"seeds": [1, 1]}, "different")):
        with pytest.raises(InputError, match=why):
            attack_and_report([m2m], tmp_path / "out", wrong)
    with pytest.raises(InputError, match="draws its own"):
        attack_and_report([m2m], tmp_path / "out", {}, studio=True)


def test_the_command_line(lab: tuple[list[Path], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    folders = [str(f) for f in lab[0]]
    assert main(["audit", "attack", *folders, "--out", str(out), "--attacker", "linkage", "--seed", "0"]) == 0
    said = capsys.readouterr().out
    assert "linkage: scene on m2m" in said and f"report: {out / PAGE}" in said
    assert main(["audit", "attack", "--out", str(out)]) == 1
    assert "nothing to attack" in capsys.readouterr().err


def test_models_are_asked_what_they_were_trained_on(lab: tuple[list[Path], Path], tmp_path: Path) -> None:
    params = AttackParams(("membership",), **{**QUICK, "member_epochs": 1, "seeds": (0,)})
    found = attack([lab[0][1]], tmp_path, params)
    kinds = ("pretrain", "evaluate")
    assert {r.attacker for r in found.rows} == {f"membership: {kind}, asked with m2m" for kind in kinds}
    assert all(0 <= r.low <= r.high <= 1 and r.n == 16 for r in found.rows)


def test_lower_losses_of_members_are_a_memory() -> None:
    members = np.arange(40) % 2
    remembered = {"losses": np.where(members > 0, 0.1, 1.0) + np.arange(40) / 1000, "members": members}
    forgotten = {"losses": np.random.default_rng(3).normal(size=40), "members": members}
    assert membership_row("membership", "real", [remembered], 50).value == 1
    assert membership_row("membership", "real", [remembered], 50).verdict == ABOVE
    assert membership_row("membership", "real", [forgotten], 200).verdict == NOTHING


def test_members_and_others_are_as_many_of_every_action() -> None:
    labels = ("a",) * 9 + ("b",) * 6
    members = split_members(tuple(map(str, range(15))), labels, 6, 0)
    for label in "ab":
        own = members[[w == label for w in labels]]
        assert (own == 1).sum() == (own == 0).sum() == 3

"""The laboratory: a drawn population in all variants, on which attackers are tried without anybody's video."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from m2m.errors import InputError
from m2m.files import write_atomic
from m2m.fingerprints import fingerprint
from m2m.studio.dataset import draw_dataset
from m2m.studio.population import PEOPLE
from m2m.studio.recipe import StudioParams
from m2m.studio.truth import TRUTH

VARIANTS = ("real", "blur", "pixelate", "mesh_on_real", "m2m", "no_human")
WORDS = "drawings of the studio: nothing is shown of real people"


@dataclass(frozen=True)
class Laboratory:
    """How large it is. The defaults take half an hour to an hour on two cores.

    Attributes:
        people: Persons.
        actions: What each does.
        clips: Clips an action and person.
        places: Backgrounds, shared by all.
        outfits: Clothes of each person.
        seconds: Length of a clip.
        fps: Frames a second.
        seed: Same seed, same drawings.
    """

    people: int = 20
    actions: tuple[str, ...] = ("jumping_jack", "squat", "walk")
    clips: int = 2
    places: int = 8
    outfits: int = 2
    seconds: float = 2.0
    fps: int = 6
    seed: int = 11


def build(
    lab: Laboratory, out: Path, *, workers: int = 1, say: Callable[[str], None] = lambda _: None
) -> tuple[list[Path], Path]:
    """Draws the population and makes the variants; what an earlier run finished is not done again.

    Args:
        lab: How large.
        out: Folder of `clips` and `variants`.
        workers: Processes.
        say: Tells what is being done.

    Returns:
        The data sets, one a variant, and the table of people.

    Raises:
        InputError: The folder holds another laboratory.
        InfrastructureError: The disk is full or a model is missing.
    """
    from m2m.augment.variants import augment_variants

    clips, mark = out / "clips", out / "laboratory"
    own = fingerprint(asdict(lab))
    if clips.exists():
        if not mark.is_file() or mark.read_text(encoding="utf-8").strip() != own:
            raise InputError(f"{out} holds another laboratory, or something else", "name another folder")
    else:
        say("drawing")
        drawing = out / ".m2m" / f"drawing-{own[:16]}"  # what a run that was stopped has drawn is kept
        draw_dataset(drawing, _recipe(lab), workers)
        write_atomic(mark, (own + "\n").encode())
        drawing.rename(clips)
    made = augment_variants(clips, out / "variants", VARIANTS, workers=workers)
    return [made[v] for v in VARIANTS], clips / TRUTH / PEOPLE


def _recipe(lab: Laboratory) -> StudioParams:
    named = ("clips", "seed", "fps", "seconds", "people", "places", "outfits", "actions")
    return StudioParams(**{name: getattr(lab, name) for name in named})

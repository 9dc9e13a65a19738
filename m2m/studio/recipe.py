"""Recipes: what data set the studio draws."""

import math
from dataclasses import dataclass, field

from m2m.studio.actions import ACTIONS

ATTRIBUTES = ("gender", "skin", "build", "clothes", "identity")
"""What of a person can be planted as a cue of the class."""


@dataclass(frozen=True)
class StudioParams:
    """What data set the studio draws.

    Attributes:
        classes: How many actions, the first of `ACTIONS`.
        clips: Clips an action; of the split `train` where there are `test_clips`.
        seed: Same seed, same clips.
        size: Width and height in pixels.
        fps: Frames a second.
        seconds: Length of a clip.
        pairs: Share of clips in which two persons do the action.
        entering: Share of walks that come into the picture and leave it.
        plain: One person, large, within 30 degrees of facing a camera that stands still, nothing else moving: what a
            small model can learn from a hundred clips.
        scene_bias: Every class has a background of its own, and `planted_bias` says how often it is seen before it;
            else before that of any class, by chance. Off: backgrounds have nothing to do with classes.
        people: A population of so many persons, see `m2m.studio.population`: each does every action `clips` times. 0:
            somebody else in every clip.
        places: Backgrounds of a population.
        outfits: Clothes of each person of a population; 1: always the same.
        actions: The actions, in place of the first `classes`.
        bias: With this probability a clip is seen before the background of its own class, else before that of any class
            by chance; for all classes the same. None: every clip has a background of its own.
        test_clips: Further clips an action, of the split `val`: other clips, other people, other clothes.
        test_bias: The `bias` of the test clips; None: that of the others.
        attributes: Strength, 0 to 1, by name of ATTRIBUTES: with that probability a person has the value that belongs
            to the class, else any by chance. See `m2m.studio.attributes`.
        reversed: In test clips nobody has the value that belongs to the class.
        occluders: Share of clips in which something stands before the person.
        moving: Share of clips in which the camera pans, zooms or shakes. None: as `plain` says, else nearly half.
        mannequins: People are plain grey, without skin, hair and clothes.
    """

    classes: int = 6
    clips: int = 2
    seed: int = 0
    size: tuple[int, int] = (432, 240)
    fps: int = 24
    seconds: float = 3.0
    pairs: float = 0.15
    entering: float = 0.3
    plain: bool = False
    scene_bias: bool = False
    people: int = 0
    places: int = 8
    outfits: int = 1
    actions: tuple[str, ...] = ()
    bias: float | None = None
    test_clips: int = 0
    test_bias: float | None = None
    attributes: dict[str, float] = field(default_factory=dict)
    reversed: bool = False
    occluders: float = 0.0
    moving: float | None = None
    mannequins: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.classes <= len(ACTIONS):
            raise ValueError(f"classes is 1 to {len(ACTIONS)}, not {self.classes}")
        if self.clips < 1:
            raise ValueError(f"clips must be 1 or more, not {self.clips}")
        if self.test_clips < 0:
            raise ValueError(f"test_clips must be 0 or more, not {self.test_clips}")
        if self.seed < 0:
            raise ValueError(f"seed must be 0 or more, not {self.seed}")
        width, height = self.size
        if min(width, height) < 64 or width % 2 or height % 2:
            raise ValueError(f"size is even and at least 64x64, not {width}x{height}")
        if self.fps < 1 or not (math.isfinite(self.seconds) and self.seconds > 0):
            raise ValueError(f"fps is 1 or more and seconds more than 0, not {self.fps} and {self.seconds}")
        if self.people < 0:
            raise ValueError(f"people must be 0 or more, not {self.people}")
        if self.places < 1 or self.outfits < 1:
            raise ValueError(f"places and outfits must be 1 or more, not {self.places} and {self.outfits}")
        if unknown := [a for a in self.actions if a not in ACTIONS]:
            raise ValueError(f"actions are some of {', '.join(ACTIONS)}, not {unknown[0]!r}")
        if len(set(self.actions)) != len(self.actions):
            raise ValueError(f"an action is there twice: {', '.join(self.actions)}")
        for name in ("pairs", "entering", "bias", "test_bias", "occluders", "moving"):
            _share(name, getattr(self, name))
        for name, strength in self.attributes.items():
            if name not in ATTRIBUTES:
                raise ValueError(f"attributes are some of {', '.join(ATTRIBUTES)}, not {name!r}")
            _share(name, strength)
        self._check_together()

    def _check_together(self) -> None:
        if self.people and self.scene_bias:
            raise ValueError("people have places of their own: scene_bias is not for them")
        if self.people and (self.bias is not None or self.test_clips or self.attributes):
            raise ValueError("bias, test_clips and attributes are not for people, who do everything everywhere")
        if self.bias is not None and self.scene_bias:
            raise ValueError("bias is the same for all classes, scene_bias differs by class: only one of them")
        if self.test_bias is not None and (self.bias is None or not self.test_clips):
            raise ValueError("test_bias needs bias and test_clips")
        if self.reversed and not (self.attributes and self.test_clips):
            raise ValueError("reversed needs attributes and test_clips")
        one = sorted({"gender", "skin", "build"} & set(self.attributes))
        if one and "identity" in self.attributes:
            raise ValueError(f"identity and {one[0]} are not for one data set: a person has one {one[0]}")
        if self.reversed and "clothes" in self.attributes and len(self.labels) < 2:
            raise ValueError("clothes of another class need two classes")

    @property
    def labels(self) -> list[str]:
        """The actions."""
        return list(self.actions) or list(ACTIONS)[: self.classes]


def _share(name: str, value: float | None) -> None:
    if value is not None and not 0 <= value <= 1:
        raise ValueError(f"{name} is 0 to 1, not {value}")

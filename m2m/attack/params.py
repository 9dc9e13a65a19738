"""Which attackers run, and how hard they try."""

from dataclasses import dataclass

ATTACKERS = (
    "face",
    "colours",
    "body",
    "attributes",
    "identity",
    "motion",
    "gait",
    "silhouette",
    "linkage",
    "membership",
)
MEANING = {
    "face": "tells strangers apart by their faces: CenterFace finds them, a released network describes them",
    "colours": "tells strangers apart by the colours down the middle of them; nothing is learnt",
    "body": "tells strangers apart by pictures of them: a network that has learnt other persons on the same variant",
    "attributes": "guesses what strangers look like: the same network",
    "identity": "recognises persons it has learnt, at places it has not seen",
    "motion": "tells strangers apart by what moves in the pictures, whatever it looks like",
    "gait": "tells strangers apart by the poses that are drawn: what a perfect reader of the bodies has",
    "silhouette": "finds the outline of the person, and the action, on plates from which the person was painted out",
    "linkage": "finds the source of a clip among all sources",
    "membership": "tells the clips that a model was trained on from others of the same kind, by its loss",
}
FRAMES, CROP = 12, 64
"""Pictures of the person a clip, and their side in pixels."""
LEARNT_FRAMES = 6
"""Of these, how many the network learns from."""
PLATE, PLATE_FRAMES = (72, 40), 4
"""Width and height of plates for the silhouette, and how many a clip."""


@dataclass(frozen=True)
class AttackParams:
    """How attackers are run.

    Attributes:
        attackers: Which, of ATTACKERS.
        seeds: One test each: another half of the persons or places, another network.
        epochs: Times the network sees every picture.
        plate_epochs: Times the silhouette's segmenter sees every plate.
        member_epochs: Times a model whose memory is tested sees every clip.
        members: Most clips that such a model is trained on.
        resamples: Draws for the intervals.
    """

    attackers: tuple[str, ...] = ATTACKERS
    seeds: tuple[int, ...] = (0, 1, 2)
    epochs: int = 12
    plate_epochs: int = 8
    member_epochs: int = 24
    members: int = 60
    resamples: int = 1000

    def __post_init__(self) -> None:
        unknown = [a for a in self.attackers if a not in ATTACKERS]
        if unknown or not self.attackers:
            raise ValueError(f"attackers are some of {', '.join(ATTACKERS)}, not {', '.join(unknown) or 'none'}")
        if not self.seeds or min(self.seeds) < 0 or len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"seeds must be different numbers of 0 or more, not {list(self.seeds)}")
        for name in ("epochs", "plate_epochs", "member_epochs", "members", "resamples"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be 1 or more, not {getattr(self, name)}")

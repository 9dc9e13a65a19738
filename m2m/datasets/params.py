"""The parameters of the ingest stage."""

from dataclasses import dataclass


@dataclass(frozen=True)
class IngestParams:
    """What of a source becomes a data set.

    Attributes:
        shards: Tars the clips are packed into; a plain folder has none.
        val_share: Share of each class that becomes `val` where the source names no split; 0: all is `train`.
        max_per_class: Clips a class at most in each split the source names; the paper's 1,000.
        seed: Decides which clips a class keeps and which become `val`.
    """

    shards: int = 8
    val_share: float = 0.2
    max_per_class: int = 1000
    seed: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.shards <= 100_000:
            raise ValueError(f"shards is 1 to 100000, not {self.shards}")
        if not 0 <= self.val_share < 1:
            raise ValueError(f"val_share is at least 0 and less than 1, not {self.val_share}")
        if self.max_per_class < 1:
            raise ValueError(f"max_per_class must be 1 or more, not {self.max_per_class}")
        if self.seed < 0:
            raise ValueError(f"seed must be 0 or more, not {self.seed}")

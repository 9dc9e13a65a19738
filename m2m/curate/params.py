"""The parameters of the curate stage."""

from dataclasses import dataclass

METHODS = ("bias-aug", "kmeans", "list")
ENCODERS = ("embedded",)
REPRESENTATIVES = ("most-videos", "min-bias", "medoid")


@dataclass(frozen=True)
class CurateParams:
    """Which classes of a data set are selected.

    Attributes:
        classes: K, the classes to select; `list` takes as many as the list names.
        method: `bias-aug` (k-means on class means and their bias), `kmeans` (on class means alone, as in the authors'
            code) or `list` (the classes a file names).
        weight: Lambda, the weight of the bias in `bias-aug`; 0 is `kmeans`.
        representative: The class that stands for its cluster: `most-videos` (the paper), `min-bias` or `medoid`.
        encoder: What describes a frame: `embedded` needs no weights.
        list: A text file with a class a line, for `list`.
        starts: Starts of k-means; the best one counts.
        seed: Decides the frame of each clip and the starts of k-means.
    """

    classes: int = 150
    method: str = "bias-aug"
    weight: float = 1.0
    representative: str = "most-videos"
    encoder: str = "embedded"
    list: str = ""
    starts: int = 10
    seed: int = 0

    def __post_init__(self) -> None:
        if self.classes < 1:
            raise ValueError(f"classes must be 1 or more, not {self.classes}")
        if self.method not in METHODS:
            raise ValueError(f"method is one of {', '.join(METHODS)}, not {self.method!r}")
        if not 0 <= self.weight < float("inf"):
            raise ValueError(f"weight must be 0 or more and finite, not {self.weight}")
        if self.representative not in REPRESENTATIVES:
            raise ValueError(f"representative is one of {', '.join(REPRESENTATIVES)}, not {self.representative!r}")
        if self.encoder not in ENCODERS:
            raise ValueError(f"encoder is one of {', '.join(ENCODERS)}, not {self.encoder!r}")
        if (self.method == "list") != bool(self.list):
            raise ValueError("method: list and list: FILE belong together")
        if self.starts < 1:
            raise ValueError(f"starts must be 1 or more, not {self.starts}")
        if not 0 <= self.seed < 2**32:
            raise ValueError(f"seed is 0 to 4294967295, not {self.seed}")

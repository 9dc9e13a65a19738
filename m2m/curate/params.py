"""The parameters of the curate stage."""

from dataclasses import dataclass

from m2m import __version__

CODE_VERSION = f"{__version__}+curate.2"

CLUSTERING = ("bias-aug", "kmeans", "bias-1d")
"""Methods that divide the classes into clusters and take one of each."""

NAMED = ("list", "published", "synapt")
"""Methods that look at no clip: the classes are named somewhere."""

METHODS = (*CLUSTERING, "resound-swap", "random", *NAMED)
ENCODERS = ("embedded", "clip")
REPRESENTATIVES = ("most-videos", "min-bias", "medoid")
FRAMES = ("random", "entropy")


@dataclass(frozen=True)
class CurateParams:
    """Which classes of a data set are selected.

    Attributes:
        classes: K, the classes to select; a list has as many as it names.
        method: How. `bias-aug`: k-means on what classes look like and on their bias. `kmeans`: on the look alone, as in
            the authors' code. `bias-1d`: on the bias alone, the paper's formula read to the letter. `resound-swap`: the
            subset whose pairs of classes one frame tells apart least. `random`: by seed. `list`: the classes a file
            names. `published`: the paper's 150 of Kinetics-400. `synapt`: SynAPT's 150.
        weight: Lambda of `bias-aug`: how much the variance of the bias counts beside that of the look, which counts 1;
            0 is `kmeans`.
        representative: The class that stands for its cluster: `most-videos` (the paper), `min-bias` or `medoid`.
        encoder: What describes a frame: `embedded` needs no weights; `clip` is LLaVA's image encoder, by timm.
        model: Name in timm of `clip`'s network.
        weights: File of its weights; empty: the cache of the Hugging Face hub.
        device: Where it runs: `auto`, `cpu`, `cuda` or `cuda:N`.
        batch: Frames it is given at a time.
        frame: The frame that stands for a clip: `random`, by seed and content, or `entropy`, out of the stretch in
            which the relative entropy between neighbouring frames changes least (the paper's footnote).
        list: A text file with a class a line, for `list`.
        starts: Starts of k-means and of the swaps; the best one counts.
        seed: Decides frames, starts and `random`.
    """

    classes: int = 150
    method: str = "bias-aug"
    weight: float = 1.0
    representative: str = "most-videos"
    encoder: str = "embedded"
    model: str = "vit_large_patch14_clip_336.openai"
    weights: str = ""
    device: str = "auto"
    batch: int = 32
    frame: str = "random"
    list: str = ""
    starts: int = 10
    seed: int = 0

    def __post_init__(self) -> None:
        for name, known in (
            ("method", METHODS), ("representative", REPRESENTATIVES), ("encoder", ENCODERS), ("frame", FRAMES)
        ):  # fmt: skip
            if getattr(self, name) not in known:
                raise ValueError(f"{name} is one of {', '.join(known)}, not {getattr(self, name)!r}")
        for name in ("classes", "starts", "batch"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be 1 or more, not {getattr(self, name)}")
        if not 0 <= self.weight < float("inf"):
            raise ValueError(f"weight must be 0 or more and finite, not {self.weight}")
        if (self.method == "list") != bool(self.list):
            raise ValueError("method: list and list: FILE belong together")
        if not 0 <= self.seed < 2**32:
            raise ValueError(f"seed is 0 to 4294967295, not {self.seed}")

"""The parameters of pretraining, alignment and evaluation.

Defaults are the paper's Table 5. What it leaves open is PPMA's value, whose nominal values the
table has, else VideoMAE's (`docs/training.md` lists each with its source).
"""

import re
from dataclasses import dataclass, field

DEVICES = ("auto", "cpu", "cuda")
CACHES = ("none", "memory", "disk")
MASKS = ("tube", "random")
PIXELS = ("rgb", "residual", "amplified")
PRECISIONS = ("auto", "bf16", "fp32")
RANDAUGMENT = re.compile(r"rand-m\d+-n\d+(-(mstd|p)\d+(\.\d+)?|-mmax\d+|-inc[01])*")
KINDS = ("videomae", "timesformer", "tsn", "i3d")
RESNETS = {14: (1, 1, 1, 1), 26: (2, 2, 2, 2), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}
"""Blocks a stage of a ResNet of so many layers."""


@dataclass(frozen=True)
class ModelParams:
    """What is trained, and its size. The defaults are VideoMAE's ViT-B.

    Attributes:
        kind: `videomae`, the only one that `pretrain` trains; or what the paper compares with: `timesformer` (divided
            space-time attention), `tsn` (a ResNet on every frame, scores averaged) or `i3d` (a ResNet inflated in
            time). The profiles of these names have their sizes.
        depth: Blocks of the encoder; of a ResNet (`tsn`, `i3d`) its layers: 14, 26, 50 or 101.
        width: Channels of the encoder; a ResNet has its own.
        heads: Attention heads of the encoder.
        decoder_depth: Blocks of the decoder.
        decoder_width: Channels of the decoder.
        decoder_heads: Attention heads of the decoder: VideoMAE's 6; PPMA has 16, the paper gives none.
        frames: Frames a sample.
        tubelet: Frames a token.
        patch: Side of a token in pixels.
        size: Rows and columns of a sample in pixels.
        pixels: What the model is given: `rgb`, the pixels; or `residual`, what each differs by from its mean over the
            sample's frames, over the sample's deviation: where the camera is still, only what moves; or `amplified`,
            the residual and that mean, less .5: scenes are seen as they are, and what moves stands out from them.
        checkpointing: Forget what blocks of a transformer computed and compute it again for the gradients: less
            memory, about a third more time, the same result.
    """

    kind: str = "videomae"
    depth: int = 12
    width: int = 768
    heads: int = 12
    decoder_depth: int = 4
    decoder_width: int = 384
    decoder_heads: int = 6
    frames: int = 16
    tubelet: int = 2
    patch: int = 16
    size: tuple[int, int] = (224, 224)
    pixels: str = "rgb"
    checkpointing: bool = False

    def __post_init__(self) -> None:
        _one_of(self, "kind", KINDS)
        _one_of(self, "pixels", PIXELS)
        if self.pixels != "rgb" and self.kind != "videomae":
            raise ValueError(f"pixels must be rgb for a {self.kind}, not {self.pixels}")
        if self.kind in ("tsn", "i3d"):
            self._check_resnet()
        else:
            self._check_transformer()

    def _check_resnet(self) -> None:
        if self.depth not in RESNETS:
            raise ValueError(f"depth of a {self.kind} is one of {', '.join(map(str, RESNETS))}, not {self.depth}")
        _at_least(self, "frames", 2 if self.kind == "i3d" else 1)
        if min(self.size) < 32:
            raise ValueError(f"size must be 32 or more, not {self.size[0]}x{self.size[1]}")

    def _check_transformer(self) -> None:
        for name in ("depth", "width", "heads", "decoder_depth", "decoder_width", "decoder_heads", "tubelet", "patch"):
            _at_least(self, name, 1)
        for width, heads in (("width", "heads"), ("decoder_width", "decoder_heads")):
            if getattr(self, width) % (2 * getattr(self, heads)):
                raise ValueError(f"{width} must be a multiple of 2 x {heads}, not {getattr(self, width)}")
        if self.frames < 1 or (self.kind == "videomae" and self.frames % self.tubelet):
            raise ValueError(f"frames must be a multiple of tubelet ({self.tubelet}), not {self.frames}")
        if any(side < 1 or side % self.patch for side in self.size):
            raise ValueError(f"size must be multiples of patch ({self.patch}), not {self.size[0]}x{self.size[1]}")

    @property
    def grid(self) -> tuple[int, int, int]:
        """Tokens of a VideoMAE in time, rows and columns."""
        return self.frames // self.tubelet, self.size[0] // self.patch, self.size[1] // self.patch


@dataclass(frozen=True)
class InputParams:
    """How training samples are taken from clips.

    Attributes:
        seconds: Length of the window over which a sample's frames are spread evenly; 0: the whole clip.
        stride: Frames from one frame of a sample to the next, in place of `seconds`; 0: `seconds` says.
        crop: Least share of the frame's area that a random resized crop shows; 1 and `ratio` 1: the largest crop.
        ratio: Most by which a crop is stretched to one side or the other.
        scales: Shares of the largest crop's sides, from which each side of a crop is drawn, at one of 13 places
            (MultiScaleCrop), in place of `crop` and `ratio`; none: these say.
        flip: Mirror half of the samples; not for classes that tell left from right.
        jitter: Strength of random brightness, contrast, saturation and hue, 0 to 1, the same for all frames.
        randaugment: RandAugment in timm's words, as `rand-m7-n4-mstd0.5-inc1`, the same for all frames; empty: none.
        erase: Share of the samples in which one box, the same in all frames, is filled with noise.
        cache: `memory` decodes every clip once and keeps its frames, resized for the sample; `disk` keeps them in a
            folder from their first use on; `none` decodes what is needed at every use.
        cache_folder: Where `disk` keeps frames; empty: `.m2m/frames` of the data set.
        cache_gib: Most GiB in that folder; files of other clips go to make room, the oldest first.
        workers: Processes that decode ahead; 0: the training process itself.
    """

    seconds: float = 2.7
    stride: int = 0
    crop: float = 0.5
    ratio: float = 4 / 3
    scales: tuple[float, ...] = ()
    flip: bool = True
    jitter: float = 0.0
    randaugment: str = ""
    erase: float = 0.0
    cache: str = "none"
    cache_folder: str = ""
    cache_gib: float = 100.0
    workers: int = 8

    def __post_init__(self) -> None:
        _at_least(self, "seconds", 0)
        _at_least(self, "stride", 0)
        _at_least(self, "cache_gib", 0)
        _at_least(self, "workers", 0)
        _at_least(self, "ratio", 1)
        _share(self, "crop", low_open=True)
        _share(self, "jitter")
        _share(self, "erase")
        _one_of(self, "cache", CACHES)
        if not all(0 < scale <= 1 for scale in self.scales):
            raise ValueError(f"scales must be above 0, at most 1, not {list(self.scales)}")
        if self.randaugment and not RANDAUGMENT.fullmatch(self.randaugment):
            raise ValueError(f"randaugment must be like rand-m7-n4-mstd0.5-inc1, not {self.randaugment!r}")

    @property
    def least_crop(self) -> float:
        """Least share of the largest crop's area that a crop shows."""
        return min(self.scales) ** 2 if self.scales else self.crop

    def window(self, frames: int, fps: float) -> float:
        """Seconds over which a sample's frames are spread; 0: the whole clip."""
        return self.stride * frames / fps if self.stride else self.seconds


@dataclass(frozen=True)
class PretrainParams:
    """Masked autoencoding.

    Attributes:
        epochs: Passes over the training clips.
        warmup: Epochs in which the rate rises to its maximum.
        batch: Samples a step, over all processes.
        micro_batch: Most samples in memory at once in one process; 0: its whole share of the batch.
        lr: Highest learning rate, for this batch. True maximum: PPMA's code halves what it states.
        betas: AdamW's.
        weight_decay: AdamW's, on matrices only.
        clip_grad: Greatest norm of a step's gradient, to which a longer one is shortened; 0: as it comes.
        ema: Decay of a moving average of the weights, which is then validated, tested and handed on; 0: none.
        samples: Samples taken from each clip once decoded.
        mask: `tube` hides the same places in all frames (the paper), `random` any (PPMA's code).
        mask_ratio: Share of the tokens that is hidden.
        normalise: Whether the target is each patch's pixels less their mean, over their deviation.
        input: How samples are taken.
        seed: Of everything random.
        device: `auto` (a GPU where there is one), `cpu` or `cuda`.
        precision: Of the products; weights are float32. `auto` (bfloat16 on a GPU, else float32), `bf16` or `fp32`.
        compile: Compile the model with `torch.compile`; pays where training takes more than minutes.
        checkpoint_every: Epochs between checkpoints to resume from.
        checkpoint_minutes: Minutes between checkpoints within an epoch; 0: none.
        keep_every: Epochs between checkpoints of the model that are kept for a learning curve; 0: none.
    """

    epochs: int = 200
    warmup: float = 10
    batch: int = 128
    micro_batch: int = 0
    lr: float = 8e-4
    betas: tuple[float, float] = (0.9, 0.95)
    weight_decay: float = 0.05
    clip_grad: float = 0.0
    ema: float = 0.0
    samples: int = 4
    mask: str = "tube"
    mask_ratio: float = 0.9
    normalise: bool = True
    input: InputParams = field(default_factory=InputParams)
    seed: int = 0
    device: str = "auto"
    precision: str = "auto"
    compile: bool = False
    checkpoint_every: int = 5
    checkpoint_minutes: float = 10.0
    keep_every: int = 0

    def __post_init__(self) -> None:
        _check_schedule(self)
        _check_samples(self)
        _check_chunk(self.micro_batch, self.samples)
        _at_least(self, "keep_every", 0)
        _one_of(self, "mask", MASKS)
        if not 0 < self.mask_ratio < 1:
            raise ValueError(f"mask_ratio must lie between 0 and 1, not {self.mask_ratio}")


@dataclass(frozen=True)
class AlignParams:
    """Supervised training of the encoder and a linear head on labelled clips.

    Attributes:
        epochs: Passes over the training clips.
        warmup: Epochs in which the rate rises to its maximum.
        batch: Samples a step, over all processes.
        micro_batch: Most samples in memory at once in one process; 0: its whole share of the batch.
        lr: Highest learning rate, for this batch; deeper blocks have it, earlier ones `layer_decay` times less each.
        betas: AdamW's.
        weight_decay: AdamW's, on matrices only.
        clip_grad: Greatest norm of a step's gradient, to which a longer one is shortened; 0: as it comes.
        ema: Decay of a moving average of the weights, which is then validated, tested and handed on; 0: none.
        layer_decay: Factor of the rate from each block to the one before it.
        drop_path: Highest probability of leaving out a block's branch; rises from 0 at the first block.
        smoothing: Share of the label spread over all classes.
        mixup: Parameter of the beta distribution by which pairs of samples are mixed; 0: none.
        cutmix: Parameter of the beta distribution of the area that a sample takes over from its partner; 0: none. With
            `mixup` too, either by the toss of a coin.
        samples: Samples taken from each clip once decoded.
        input: How samples are taken.
        validate_every: Epochs between looks at the validation clips, one view each; 0: never.
        seed: Of everything random.
        device: `auto` (a GPU where there is one), `cpu` or `cuda`.
        precision: Of the products; weights are float32. `auto` (bfloat16 on a GPU, else float32), `bf16` or `fp32`.
        compile: Compile the model with `torch.compile`; pays where training takes more than minutes.
        checkpoint_every: Epochs between checkpoints to resume from.
        checkpoint_minutes: Minutes between checkpoints within an epoch; 0: none.
        keep_best: Keep the model of the highest val_top1 too, as `models/best.pt`. The last is handed on all the same.
    """

    epochs: int = 50
    warmup: float = 6
    batch: int = 128
    micro_batch: int = 0
    lr: float = 2e-3
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 1e-4
    clip_grad: float = 0.0
    ema: float = 0.0
    layer_decay: float = 0.75
    drop_path: float = 0.1
    smoothing: float = 0.1
    mixup: float = 0.8
    cutmix: float = 0.0
    samples: int = 1
    input: InputParams = field(default_factory=lambda: InputParams(jitter=0.4))
    validate_every: int = 1
    seed: int = 0
    device: str = "auto"
    precision: str = "auto"
    compile: bool = False
    checkpoint_every: int = 5
    checkpoint_minutes: float = 10.0
    keep_best: bool = False

    def __post_init__(self) -> None:
        _check_schedule(self)
        _check_supervised(self)
        _check_pairs(self.micro_batch, self)


@dataclass(frozen=True)
class ProtocolParams:
    """How one protocol trains on the downstream data set; the other fields as in `AlignParams`.

    Attributes:
        features: Of linear probing, a short cut: the samples of the first so many epochs are encoded once, and norm and
            head learn from what the frozen trunk made of them, the later epochs from the same again. 0: every epoch
            encodes samples of its own.
    """

    epochs: int = 30
    warmup: float = 3.75
    batch: int = 32
    lr: float = 2e-3
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 1e-4
    clip_grad: float = 0.0
    ema: float = 0.0
    layer_decay: float = 0.75
    drop_path: float = 0.1
    smoothing: float = 0.1
    mixup: float = 0.8
    cutmix: float = 0.0
    samples: int = 1
    input: InputParams = field(default_factory=lambda: InputParams(seconds=0.0, jitter=0.4))
    features: int = 0

    def __post_init__(self) -> None:
        _check_schedule(self)
        _check_supervised(self)
        if not 0 <= self.features <= self.epochs:
            raise ValueError(f"features must be 0 to epochs ({self.epochs}), not {self.features}")
        if self.features and (self.mixup or self.cutmix):
            raise ValueError(f"features must be 0 where mixup or cutmix mixes pixels, not {self.features}")


@dataclass(frozen=True)
class EvaluateParams:
    """Fine-tuning (FT) and linear probing (LP) on a downstream data set, and how both are tested.

    Attributes:
        ft: Fine-tuning: all weights train.
        lp: Linear probing: the trunk is frozen, its norm and the head train.
        views: Windows in time and crops across a clip whose scores are averaged at the test.
        micro_batch: Most samples in memory at once in one process; 0: its whole share of the batch.
        validate_every: Epochs between looks at the validation clips, one view each; 0: never but the test.
        seeds: One evaluation each.
        device: `auto` (a GPU where there is one), `cpu` or `cuda`.
        precision: Of the products; weights are float32. `auto` (bfloat16 on a GPU, else float32), `bf16` or `fp32`.
        compile: Compile the model with `torch.compile`; pays where training takes more than minutes.
        checkpoint_every: Epochs between checkpoints to resume from.
        checkpoint_minutes: Minutes between checkpoints within an epoch; 0: none.
        keep_best: Keep the model of the highest val_top1 too, as `models/best.pt`. The last is handed on all the same.
    """

    ft: ProtocolParams = field(default_factory=ProtocolParams)
    lp: ProtocolParams = field(
        default_factory=lambda: ProtocolParams(
            lr=1.6e-2,
            weight_decay=0.0,
            layer_decay=1.0,
            drop_path=0.0,
            smoothing=0.0,
            mixup=0.0,
            input=InputParams(seconds=0.0),
        )
    )
    views: tuple[int, int] = (2, 3)
    micro_batch: int = 0
    validate_every: int = 1
    seeds: tuple[int, ...] = (0,)
    device: str = "auto"
    precision: str = "auto"
    compile: bool = False
    checkpoint_every: int = 5
    checkpoint_minutes: float = 10.0
    keep_best: bool = False

    def __post_init__(self) -> None:
        _check_running(self)
        _check_pairs(self.micro_batch, self.ft)
        _check_pairs(self.micro_batch, self.lp)
        if self.ft.features:
            raise ValueError(f"features must be 0 for ft, whose trunk trains, not {self.ft.features}")
        if min(self.views) < 1:
            raise ValueError(f"views must be 1 or more each, not {self.views[0]} and {self.views[1]}")
        if not self.seeds or min(self.seeds) < 0 or len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"seeds must be different numbers of 0 or more, not {list(self.seeds)}")


RUNNING = frozenset(
    {
        "micro_batch",
        "device",
        "compile",
        "checkpoint_every",
        "checkpoint_minutes",
        "checkpointing",
        "keep_every",
        "keep_best",
        "validate_every",
        "seeds",
        "cache",
        "cache_folder",
        "cache_gib",
        "workers",
    }
)
"""Fields that change how training runs and not what it computes, rounding apart."""


def _check_schedule(params: "PretrainParams | AlignParams | ProtocolParams") -> None:
    _at_least(params, "epochs", 1)
    _at_least(params, "batch", 1)
    _at_least(params, "weight_decay", 0)
    _at_least(params, "clip_grad", 0)
    if not 0 <= params.ema < 1:
        raise ValueError(f"ema must be from 0 to below 1, not {params.ema}")
    if not 0 <= params.warmup <= params.epochs:
        raise ValueError(f"warmup must be 0 to epochs ({params.epochs}), not {params.warmup}")
    if params.lr <= 0:
        raise ValueError(f"lr must be positive, not {params.lr}")
    if not all(0 <= beta < 1 for beta in params.betas):
        raise ValueError(f"betas must be from 0 to below 1, not {params.betas}")
    if not isinstance(params, ProtocolParams):
        _at_least(params, "seed", 0)
        _check_running(params)


def _check_running(params: "PretrainParams | AlignParams | EvaluateParams") -> None:
    _at_least(params, "micro_batch", 0)
    _at_least(params, "checkpoint_every", 1)
    _at_least(params, "checkpoint_minutes", 0)
    _one_of(params, "device", DEVICES)
    _one_of(params, "precision", PRECISIONS)
    if not isinstance(params, PretrainParams):
        _at_least(params, "validate_every", 0)
        if params.keep_best and not params.validate_every:
            raise ValueError("keep_best needs a validate_every of 1 or more, not 0")


def _check_samples(params: "PretrainParams | AlignParams | ProtocolParams") -> None:
    _at_least(params, "samples", 1)
    if params.batch % params.samples:
        raise ValueError(f"batch must be a multiple of samples ({params.samples}), not {params.batch}")


def _check_pairs(micro_batch: int, params: "AlignParams | ProtocolParams") -> None:
    least = 2 * params.samples
    if (params.mixup or params.cutmix) and 0 < micro_batch < least:
        raise ValueError(f"micro_batch must be 0 or at least {least} to mix pairs of clips, not {micro_batch}")
    _check_chunk(micro_batch, params.samples)


def _check_chunk(micro_batch: int, samples: int) -> None:
    if 0 < micro_batch < samples:
        raise ValueError(f"micro_batch must be 0 or at least {samples}, the samples of one clip, not {micro_batch}")


def _check_supervised(params: "AlignParams | ProtocolParams") -> None:
    _check_samples(params)
    _share(params, "layer_decay", low_open=True)
    _at_least(params, "mixup", 0)
    _at_least(params, "cutmix", 0)
    for name in ("drop_path", "smoothing"):
        if not 0 <= getattr(params, name) < 1:
            raise ValueError(f"{name} must be from 0 to below 1, not {getattr(params, name)}")


def _at_least(params: object, name: str, least: float) -> None:
    if getattr(params, name) < least:
        raise ValueError(f"{name} must be {least} or more, not {getattr(params, name)}")


def _share(params: object, name: str, *, low_open: bool = False) -> None:
    value = getattr(params, name)
    if not 0 <= value <= 1 or (low_open and value == 0):
        raise ValueError(f"{name} must be {'above 0, at most' if low_open else '0 to'} 1, not {value}")


def _one_of(params: object, name: str, known: tuple[str, ...]) -> None:
    if getattr(params, name) not in known:
        raise ValueError(f"{name} is one of {', '.join(known)}, not {getattr(params, name)!r}")

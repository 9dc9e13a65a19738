"""Does training learn? Three questions to a small model on drawn clips, answered by the real stages.

    python -m benchmarks.learning [--clips 15] [--epochs 100] [--seeds 0 1 2]

1. Can it learn 16 clips by heart? Fine-tuned from scratch and tested on the clips it was trained on.
2. Does pre-training predict hidden pixels better than the mean patch does, on clips it has not seen?
3. Does fine-tuning from the pre-trained model end better than from scratch?

The first is put to the laptop profile, the others to a model of its size that is given pixels, by tubelets of 2x16x16,
and predicts them normalised, as the paper's does: the profile's own, which is given what moves, needs more clips.
"""

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from m2m import params
from m2m.clips import Clip, data_hash, read_card, read_manifest, write_card, write_manifest
from m2m.datasets.ingest import ingest
from m2m.studio import StudioParams, draw_dataset
from m2m.train.batches import Masking, RandomSamples, load, to_device
from m2m.train.checkpoints import read_trained
from m2m.train.clips import open_set
from m2m.train.evaluate import evaluate
from m2m.train.params import EvaluateParams, ModelParams, PretrainParams
from m2m.train.pretrain import pretrain
from m2m.train.videomae import MaskedAutoencoder, gather, patches, target


def main() -> None:
    """Prints the three answers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=15, help="of each of seven actions (default: 15)")
    parser.add_argument("--epochs", type=int, default=100, help="of pre-training (default: 100)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    args = parser.parse_args()
    model = params.load("model", "laptop")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        draw_dataset(root / "drawn", StudioParams(7, args.clips, fps=8, seconds=2.0, plain=True), workers=2)
        ingest(str(root / "drawn"), root / "set", params.load("ingest", "laptop"), workers=2, progress=False)
        by_heart(root, params.load("evaluate", "laptop"), model)
        model = replace(model, pixels="rgb", tubelet=2, patch=16)
        how = replace(params.load("pretrain", "laptop"), epochs=args.epochs, warmup=5, normalise=True)
        pretrain(root / "set", root / "pretrained", how, model)
        beyond_the_mean(root, how, model)
        from_where(root, params.load("evaluate", "laptop"), model, args.seeds)


def by_heart(root: Path, how: EvaluateParams, model: ModelParams) -> None:
    """Fine-tunes on 16 clips, as they are, until they are known."""
    rows = [c for c in read_manifest(root / "set" / "clips.parquet") if c.status == "ok"]
    labels = sorted({c.label for c in rows})[:4]
    few = [c for label in labels for c in [c for c in rows if c.label == label][:4]]
    tested = [replace(c, clip_id=f"{c.clip_id}_again", split="val") for c in few]
    write_set(root / "set", root / "few", [*(replace(c, split="train") for c in few), *tested])
    plain = replace(how.ft.input, seconds=0.0, crop=1.0, ratio=1.0, flip=False, jitter=0.0)
    how = replace(how, ft=replace(how.ft, epochs=200, warmup=10, smoothing=0.0, input=plain), validate_every=0)
    done = evaluate(root / "few", None, root / "heart", how, model)
    print(f"1. {len(few)} clips of {len(labels)} actions learnt by heart: top-1 {done.figures['top1']:.3f}", flush=True)


def beyond_the_mean(root: Path, how: PretrainParams, model: ModelParams) -> None:
    """The loss on held-out clips, and that of the best patch that is always the same."""
    data = open_set(root / "set")
    held_out = replace(data, train=data.val)
    samples = RandomSamples(held_out, model, how.input, 1, how.samples, Masking(how.mask, how.mask_ratio))
    net = MaskedAutoencoder(model, how.normalise).eval()
    net.load_state_dict(read_trained(root / "pretrained", model).weights)
    batch = to_device(next(load(samples, [[(0, i) for i in range(len(samples))]], 0, False)), torch.device("cpu"))
    with torch.no_grad():
        wanted = target(gather(patches(batch["clip"], model), batch["hidden"]), how.normalise)
        mean = float((wanted - wanted.mean((0, 1))).square().mean())
        loss = float(net(batch["clip"], batch["visible"], batch["hidden"]).mean())
    print(
        f"2. {len(held_out.train)} held-out clips: loss {loss:.4f}, the mean patch {mean:.4f}, ratio {loss / mean:.3f}"
    )


def from_where(root: Path, how: EvaluateParams, model: ModelParams, seeds: list[int]) -> None:
    """Top-1 of both starts, a seed each."""
    found: dict[str, list[float]] = {}
    for name, start in (("scratch", None), ("pre-trained", root / "pretrained")):
        for seed in seeds:
            done = evaluate(root / "set", start, root / f"{name}{seed}", how, model, seed=seed)
            found.setdefault(name, []).append(done.figures["top1"])
        scores = ", ".join(f"{v:.3f}" for v in found[name])
        print(f"3. fine-tuned from {name}: top-1 {scores}; mean {np.mean(found[name]):.3f}", flush=True)
    differences = np.subtract(found["pre-trained"], found["scratch"])
    print(f"   difference {differences.mean():+.3f}, a seed each {', '.join(f'{d:+.3f}' for d in differences)}")


def write_set(source: Path, out: Path, clips: list[Clip]) -> None:
    """A data set of other rows over the same videos."""
    out.mkdir()
    (out / "videos").symlink_to(source / "videos")
    write_manifest(clips, out / "clips.parquet")
    write_card(replace(read_card(source), clips=len(clips), hash=data_hash(clips)), out)


if __name__ == "__main__":
    main()

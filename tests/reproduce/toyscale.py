"""A scale of seconds: two toy sets, a model of two blocks, and an experiment whose rows share what they can."""

from pathlib import Path

import yaml

from m2m.params import to_dict
from tests.train.toysets import ALIGN, EVALUATE, MODEL, PRETRAIN, make_set

EXPERIMENT = {
    "title": "A table",
    "question": "Which?",
    "sets": ["one", "two"],
    "protocols": ["ft"],
    "rows": {
        "both": {"title": "both on a", "pretrain": "a", "align": "a"},
        "other": {"title": "aligned on b", "pretrain": "a", "align": "b"},
    },
    "compare": [["both", "other"]],
}


def write_scale(folder: Path, seeds: tuple[int, ...] = (0, 1), draw: bool = True, **more: object) -> Path:
    """Writes the sets, if asked to, and a scale that names them; gives its file."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, labels in (("a", ("down", "right")), ("b", ("right", "down", "red"))):
        if draw:
            make_set(folder / name, labels=labels)
    params = {
        "model": to_dict(MODEL),
        "pretrain": to_dict(PRETRAIN) | {"epochs": 2, "warmup": 1, "keep_every": 1},
        "align": to_dict(ALIGN) | {"epochs": 2, "warmup": 1},
        "evaluate": to_dict(EVALUATE),
    }
    for protocol in ("ft", "lp"):
        params["evaluate"][protocol] |= {"epochs": 1, "warmup": 0}
    values = {
        "about": "toys",
        "seeds": list(seeds),
        "params": params,
        "data": {name: {"folder": str(folder / name)} for name in ("a", "b")},
        "sets": {"one": {"title": "One", "bias": 1.0, "data": "a"}, "two": {"title": "Two", "bias": 0.0, "data": "b"}},
    }
    path = folder / "toy.yaml"
    path.write_text(yaml.safe_dump({**values, **more}))
    return path


def write_experiment(folder: Path, name: str = "table", **more: object) -> Path:
    """Writes the experiment; gives its file."""
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump({**EXPERIMENT, **more}, sort_keys=False))
    return path

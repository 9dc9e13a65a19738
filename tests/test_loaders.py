"""Nothing that comes from outside is executed: the code is searched for every call that could do so.

Whoever needs one more names it in ALLOWED, with the reason why nobody else writes what it reads.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("m2m", "components", "pipelines", "scripts", "benchmarks")

UNLESS = {
    "torch.load": ("weights_only", True),
    "timm.models.load_state_dict": ("weights_only", True),
    "numpy.load": ("allow_pickle", False),
    "numpy.lib.format.read_array": ("allow_pickle", False),
    "tarfile.TarFile.extractall": ("filter", "data"),
}
"""Calls that are safe with one argument, and only if it is written out."""

NEVER = {
    *(
        f"{name}.{call}"
        for name in ("pickle", "cPickle", "marshal", "dill", "cloudpickle")
        for call in ("load", "loads")
    ),
    "pickle.Unpickler",
    "shelve.open",
    "joblib.load",
    "h5py.File",
    "pandas.read_pickle",
    "pandas.read_hdf",
    "torch.jit.load",
    "torch.hub.load",
    "torch.hub.load_state_dict_from_url",
    "yaml.load",
    "yaml.load_all",
    "yaml.full_load",
    "yaml.unsafe_load",
    "shutil.unpack_archive",
    "os.system",
    "os.popen",
    "tempfile.mktemp",
    "eval",
    "exec",
    "__import__",
}
METHODS = {"extractall", "extract", "read_pickle", "load_model", "from_pretrained", "resume_or_load"}
"""Methods, whatever object has them: archives, pandas, MLflow, transformers, detectron2's checkpointer."""
CLASSES = {"DetectionCheckpointer", "Checkpointer", "AutoModel"}
FLAGS = {"shell": True, "trust_remote_code": True, "allow_pickle": True, "weights_only": False}

ALLOWED = {
    ("m2m/launch.py", "pickle.loads"): "written by this run's own processes, in a new folder that only its user enters",
    ("m2m/workers.py", "pickle.loads"): "of what pickle.dumps has just made, to see whether it can be done",
    ("m2m/augment/detect/zoo.py", "pickle.Unpickler"): "the base of one that takes arrays and refuses all else",
    (
        "m2m/augment/recover/osx/stand_ins.py",
        "exec",
    ): "a configuration in the user's checkout of OSX, whose code runs anyway",
}


def found(text: str) -> Iterator[tuple[int, str]]:
    """Line and name of each call or base class of a module that could execute what it reads."""
    nodes = list(ast.walk(ast.parse(text)))
    names = {}
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {
                a.asname or a.name.split(".")[0]: a.name if a.asname else a.name.split(".")[0] for a in node.names
            }
        elif isinstance(node, ast.ImportFrom):
            names |= {a.asname or a.name: f"{node.module}.{a.name}" for a in node.names}

    def whole(node: ast.AST) -> str:
        if isinstance(node, ast.Name):
            return names.get(node.id, node.id)
        return f"{whole(node.value)}.{node.attr}" if isinstance(node, ast.Attribute) else "?"

    for node in nodes:
        if isinstance(node, ast.ClassDef):
            yield from ((node.lineno, name) for base in node.bases if (name := whole(base)) in NEVER)
        if not isinstance(node, ast.Call):
            continue
        name, given = whole(node.func), {k.arg: getattr(k.value, "value", None) for k in node.keywords}
        if name in UNLESS and given.get(UNLESS[name][0]) is not UNLESS[name][1]:
            yield node.lineno, name
        if name.removeprefix("builtins.") in NEVER or any(given.get(flag) is value for flag, value in FLAGS.items()):
            yield node.lineno, name.removeprefix("builtins.")
        if (isinstance(node.func, ast.Attribute) and node.func.attr in METHODS) or name.split(".")[-1] in CLASSES:
            yield node.lineno, name.split(".")[-1]


def test_nothing_that_comes_from_outside_is_executed():
    used = set()
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            file = path.relative_to(ROOT).as_posix()
            for line, name in found(path.read_text(encoding="utf-8")):
                assert (file, name) in ALLOWED, f"{file}:{line} calls {name}: read it in a safe way, or say why here"
                used.add((file, name))
    assert used == set(ALLOWED), "what is no longer there is no longer allowed"


@pytest.mark.parametrize(
    "code",
    [
        "import torch\ntorch.load(f)",
        "import torch\ntorch.load(f, weights_only=False)",
        "import torch as t\nt.load(f, weights_only=safe)",
        "from torch import load as read\nread(f)",
        "import numpy as np\nnp.load(f)",
        "import numpy as np\nnp.load(f, allow_pickle=True)",
        "from pickle import loads\nloads(b)",
        "import pickle as p\nclass A(p.Unpickler): pass",
        "import yaml\nyaml.load(f, yaml.Loader)",
        "import joblib\njoblib.load(f)",
        "import mlflow.pytorch\nmlflow.pytorch.load_model(f)",
        "import pandas\npandas.read_pickle(f)",
        "from timm.models import load_state_dict\nload_state_dict(f)",
        "import timm\ntimm.models.load_state_dict(f)",
        "archive.extractall(d)",
        "from fvcore.common.checkpoint import Checkpointer\nCheckpointer(model)",
        "AutoModel.from_pretrained(f)",
        "import subprocess\nsubprocess.run(c, shell=True)",
        "eval(x)",
        "import builtins\nbuiltins.exec(x)",
        "def f():\n    import shelve\n    shelve.open(x)",
    ],
)
def test_the_search_finds(code):
    assert list(found(code))


def test_the_search_lets_pass():
    assert not list(
        found(
            "import torch, numpy as np, yaml\ntorch.load(f, weights_only=True)\nnp.load(f, allow_pickle=False)\n"
            "yaml.safe_load(f)\nmodel.eval()\njson.load(f)\nnet.load_state_dict(state)"
        )
    )

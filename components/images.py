"""The images that components run in: one a dependency set."""

NAMES = ("base", "detect", "inpaint", "recover", "train")
PAPER = ("detect-paper", "inpaint-paper", "recover-paper")
"""The same stages with the paper's own models: code of others and PyTorch, and none of their weights."""


def image(name: str) -> str:
    """What a component calls its image: `m2m/base`, say. Whoever compiles puts the registry and the tag in.

    Args:
        name: `base`, `detect`, `inpaint`, `recover` or `train`.
    """
    if name not in NAMES:
        raise ValueError(f"there is no image {name!r}; there are {', '.join(NAMES)}")
    return f"m2m/{name}"

"""The images that components run in: one a dependency set, named in the compiled pipelines."""

import os

REGISTRY = os.environ.get("M2M_REGISTRY", "m2m")
TAG = os.environ.get("M2M_IMAGE_TAG", "latest")
"""Both are read when a pipeline is compiled; a local run uses no image."""


def image(name: str) -> str:
    """The address of an image, for example `m2m/base:latest`.

    Args:
        name: `base`, `detect`, `inpaint`, `recover` or `train`.
    """
    return f"{REGISTRY}/{name}:{TAG}"

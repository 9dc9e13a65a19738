"""A loop of six naps, to be interrupted: `python -m tests.pipelines.napping FOLDER [IMAGE]`."""

import sys
from pathlib import Path

from kfp import dsl

from pipelines.run import run


@dsl.component(base_image="python:3.11", install_kfp_package=False)
def nap(item: int, folder: str):
    import time
    from pathlib import Path

    Path(folder, f"{item}.begun").touch()
    time.sleep(120)
    Path(folder, f"{item}.ended").touch()


def napping(image: str = "python:3.11"):
    @dsl.pipeline(name="napping")
    def pipeline(folder: str):
        with dsl.ParallelFor([1, 2, 3, 4, 5, 6]) as item:
            nap(item=item, folder=folder).set_container_image(image)

    return pipeline


if __name__ == "__main__":
    folder, *image = sys.argv[1:]  # with an image in containers of it
    try:
        run(napping(*image), {"folder": folder}, Path(folder), docker=bool(image))
    except KeyboardInterrupt:
        sys.exit(130)

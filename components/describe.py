"""The page of one data set: what came out, what was refused and why."""

from kfp import dsl
from kfp.dsl import HTML, Dataset, Input, Output

from components.images import image


@dsl.component(base_image=image("base"), install_kfp_package=False)
def describe(dataset: Input[Dataset], page: Output[HTML]):
    """Writes the page of a merged data set.

    Args:
        dataset: A merged data set.
        page: One self-contained file.
    """
    from pathlib import Path

    from m2m.artifacts import opened, stamp
    from m2m.report.run import write_run_report

    write_run_report(Path(page.path), [opened(dataset, "dataset")], [])
    stamp(page, "report")

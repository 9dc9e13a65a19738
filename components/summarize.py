"""The page of a whole run: data sets, audits, results, learning curves."""

from typing import List  # noqa: UP035 - the SDK reads the annotation's text

from kfp import dsl
from kfp.dsl import HTML, Artifact, Input, Output

from components.images import image


@dsl.component(base_image=image("train"), install_kfp_package=False)
def summarize(datasets: list[str], evaluations: Input[List[Artifact]], page: Output[HTML]):  # noqa: UP006
    """Writes the page.

    Args:
        datasets: Hashes of the published data sets that were trained on; an empty one is none.
        evaluations: What `evaluate` wrote.
        page: One self-contained file.
    """
    from pathlib import Path

    from m2m.artifacts import opened, stamp
    from m2m.report.run import write_run_report

    sets = [dataset for dataset in datasets if dataset]
    write_run_report(Path(page.path), sets, [opened(e, "evaluation") for e in evaluations])
    stamp(page, "report")

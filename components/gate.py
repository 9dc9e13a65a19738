"""Fails the run where the data set may not be used."""

from kfp import dsl
from kfp.dsl import Dataset, Input

from components.images import image


@dsl.component(base_image=image("base"), install_kfp_package=False)
def gate(dataset: Input[Dataset], params: dict):
    """Stops what follows where clips failed the audit, were lost to faults, or too many were refused.

    Args:
        dataset: A merged data set.
        params: The `gate` section.
    """
    from m2m.artifacts import opened
    from m2m.audit.gate import gate as judge
    from m2m.params import section

    print(judge(opened(dataset, "dataset"), section("gate", params)))

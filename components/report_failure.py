"""Tells of a run that failed, whatever it was that failed."""

from kfp import dsl
from kfp.dsl import PipelineTaskFinalStatus

from components.images import image


@dsl.component(base_image=image("base"), install_kfp_package=False)
def report_failure(status: PipelineTaskFinalStatus):
    """Marks the pipeline's run in the tracker as it ended, and says so in the log.

    Args:
        status: How everything before this task ended.
    """
    from m2m.tracking import finish_pipeline

    finish_pipeline(status.state, status.error_message or "")

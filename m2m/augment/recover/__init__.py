"""Backends of the recover stage behind one interface."""

from m2m.augment.bodies import BodyModel, Recoverer
from m2m.augment.recover.params import OSXParams, RecoverParams
from m2m.augment.recover.recoverer import IKRecoverer

__all__ = ["IKRecoverer", "OSXParams", "RecoverParams", "make_recoverer"]


def make_recoverer(params: RecoverParams, body: BodyModel) -> Recoverer:
    """The recoverer of these parameters for this body.

    Raises:
        InputError: `osx` is asked for with files that are not what they should be.
        InfrastructureError: `osx` is asked for without its checkout, its files or PyTorch.
    """
    if params.backend == "osx":
        from m2m.augment.recover.osx.recoverer import make_osx

        return make_osx(params, body)
    return IKRecoverer(body, params)

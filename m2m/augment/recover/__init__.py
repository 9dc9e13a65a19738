"""Backends of the recover stage behind one interface."""

from m2m.augment.bodies import BodyModel, Recoverer
from m2m.augment.recover.params import RecoverParams
from m2m.augment.recover.recoverer import IKRecoverer

__all__ = ["IKRecoverer", "RecoverParams", "make_recoverer"]


def make_recoverer(params: RecoverParams, body: BodyModel) -> Recoverer:
    """The recoverer of these parameters for this body."""
    return IKRecoverer(body, params)

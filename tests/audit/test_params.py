"""Values that make no sense are refused; defaults agree with the stages they are about."""

import pytest

from m2m.audit.params import AuditParams, GateParams
from m2m.augment.verify import VerifyParams


@pytest.mark.parametrize(
    "values",
    [
        {"stride": 0},
        {"window": 3},
        {"low": 0.6, "alarm": 0.5},
        {"alike": 1.5},
        {"dip": 0.0},
        {"tolerance": 0.0},
        {"detail": 1.0},
        {"threads": 0},
    ],
)
def test_senseless_values_are_refused(values):
    with pytest.raises(ValueError, match=next(iter(values))):
        AuditParams(**values)


@pytest.mark.parametrize("values", [{"max_quarantined": 1.1}, {"faults": ("",)}, {"required": ("",)}])
def test_senseless_gates_are_refused(values):
    with pytest.raises(ValueError, match=next(iter(values))):
        GateParams(**values)


def test_the_alarm_rule_is_the_verifiers():
    audit, verify = AuditParams(), VerifyParams()
    assert (audit.low, audit.alarm, audit.detail) == (verify.low, verify.alarm, verify.detail)

"""What went wrong, where, and what to do next; exit codes."""

from enum import IntEnum

from m2m.wording import shown


class Exit(IntEnum):
    """Exit codes of the command line."""

    DONE = 0
    BAD_INPUT = 1
    USAGE = 2
    QUARANTINED = 3
    GATE = 4
    INFRASTRUCTURE = 5


class M2MError(Exception):
    """A failure a user can act on. Its text goes to terminals, records and pages: it names no password of an address.

    Args:
        what: What went wrong, naming the file or the key.
        next_step: What the user can do about it.
    """

    code = Exit.BAD_INPUT

    def __init__(self, what: str, next_step: str = "") -> None:
        self.what = shown(what)
        self.next_step = shown(next_step)
        super().__init__(self.what)

    def __str__(self) -> str:
        return f"{self.what}; {self.next_step}" if self.next_step else self.what


class InputError(M2MError):
    """A file, a folder or a parameter cannot be used as given."""


class UsageError(M2MError):
    """The command line is not one that M2M knows."""

    code = Exit.USAGE


class InfrastructureError(M2MError):
    """The machine failed: disk, memory, network, a missing package."""

    code = Exit.INFRASTRUCTURE


class QuarantineError(M2MError):
    """One clip cannot be released.

    Args:
        reason: A short machine-readable word: `verifier`, `nobody`, `no_background`, `unreadable`, `error`.
        what: The evidence, in words.
        evidence: Figures behind the reason, JSON-serialisable.
    """

    code = Exit.QUARANTINED

    def __init__(self, reason: str, what: str, evidence: dict | None = None) -> None:
        super().__init__(what)
        self.reason = reason
        self.evidence = evidence or {}


class GateError(M2MError):
    """A data set does not pass the gate and may not be used or released."""

    code = Exit.GATE

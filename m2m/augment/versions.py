"""Versions of the stages' code, part of every fingerprint.

A number is raised when what its stage makes of the same input and parameters changes, so that old results are not taken
for new ones. The chain in memory is all of them and KEPT, what it keeps
of a clip's making.
"""

from typing import Any

from m2m import __version__
from m2m.fingerprints import fingerprint

DETECT = f"{__version__}+detect.6"
INPAINT = f"{__version__}+inpaint.7"
RECOVER = f"{__version__}+recover.6"
COMPOSE = f"{__version__}+compose.3"
KEPT = f"{__version__}+kept.3"
AUGMENT = "+".join([__version__, *(stage.split("+")[1] for stage in (DETECT, INPAINT, RECOVER, COMPOSE, KEPT))])


def mark(sha256: str, parameters: dict[str, Any], with_originals: bool, code_version: str) -> str:
    """The fingerprint of what `m2m augment` makes of an original, by which its record can be told.

    Args:
        sha256: Hash of the original's bytes.
        parameters: Of the run, as in the data set's card.
        with_originals: Whether its preview shows the original too.
        code_version: Of the code, as in the card.
    """
    return fingerprint(sha256, parameters, with_originals, code_version)

"""Versions of the stages' code, part of every fingerprint.

A number is raised when what its stage makes of the same input and parameters changes, so that old results are not taken
for new ones. The chain in memory is all of them, and
`KEPT` what it keeps of a clip's making.
"""

from m2m import __version__

DETECT = f"{__version__}+detect.6"
INPAINT = f"{__version__}+inpaint.5"
RECOVER = f"{__version__}+recover.6"
COMPOSE = f"{__version__}+compose.3"
KEPT = f"{__version__}+kept.3"
AUGMENT = "+".join([__version__, *(stage.split("+")[1] for stage in (DETECT, INPAINT, RECOVER, COMPOSE, KEPT))])

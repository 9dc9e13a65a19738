"""`python -m m2m` is `m2m`."""

import sys

from m2m.cli import main

sys.exit(main())

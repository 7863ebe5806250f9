"""``python -m zsfiji.cli``, the same as ``zsfiji``."""

import sys

from zsfiji.cli import main

sys.exit(main())

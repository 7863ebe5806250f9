"""``python -m zsfiji.bridge.scripts [folder]``: write the scripts of the commands."""

from __future__ import annotations

import sys
from pathlib import Path

from zsfiji.bridge.scripts.generate import FOLDER, write

for script in write(Path(sys.argv[1] if len(sys.argv) > 1 else FOLDER)):
    print(script)

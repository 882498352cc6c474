"""`python -m local`, which `make run` calls: starts Python again, without the variables of the shell.

Many variables take effect while Python starts and while modules are imported, so this module imports the standard
library alone.
"""

import os
import sys
from pathlib import Path

from local.process import build_environment

if __name__ == "__main__":
    # The same process as before, to which make and terminals send their signals.
    command = [sys.executable, "-m", "local.begin", *sys.argv[1:]]
    repository = str(Path(__file__).resolve().parents[1])
    os.execve(sys.executable, command, build_environment(PYTHONPATH=repository))  # noqa: S606

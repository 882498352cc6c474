"""`python -m local`, which `make run` calls: begins local.run in an environment that has nothing of the shell's in it.

Anew, because much of what a shell says has its effect while Python starts and modules are imported. This one therefore
imports the standard library alone.
"""

import os
import sys
from pathlib import Path

from local.process import build_environment

if __name__ == "__main__":
    # The same process as before, to which make and terminals send their signals.
    command = [sys.executable, "-m", "local.run", *sys.argv[1:]]
    repository = str(Path(__file__).resolve().parents[1])
    os.execve(sys.executable, command, build_environment(PYTHONPATH=repository))  # noqa: S606

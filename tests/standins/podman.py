#!/usr/bin/env python3
"""Podman for podman-compose, as a newer Podman under systemd would be. Executable, for `podman-compose --podman-path`.

It differs in two things. Waiting for a container's health: Podman can from 4.6 on, and leaves the checks to systemd's
timers; here whoever waits runs them. And a container that has done its work and ended is no hindrance to those that
depend on it: podman-compose has waited for it, and --requires would start it again.
"""

import os
import subprocess
import sys
import time

# The first that waits for health.
VERSION = "4.6.0"
PERIOD_SECONDS = 0.5


def main() -> None:
    arguments = sys.argv[1:]
    if arguments[:1] == ["--version"]:
        print(f"podman version {VERSION}")
    elif arguments[:2] == ["wait", "--condition=healthy"]:
        for container in arguments[2:]:
            while not is_healthy(container):
                time.sleep(PERIOD_SECONDS)
    else:
        kept = [argument for argument in arguments if not argument.startswith("--requires=")]
        os.execvp("podman", ["podman", *kept])  # noqa: S606


def is_healthy(container: str) -> bool:
    return subprocess.run(["podman", "healthcheck", "run", container], capture_output=True, check=False).returncode == 0


if __name__ == "__main__":
    main()

"""What the process of S3 and SQS runs: moto's server, which ends as soon as the process that started it has ended."""

import os
import sys
import threading

from moto.server import main


def end_with_parent() -> None:
    """Our standard input is a pipe that only the parent holds open, so its end is the parent's, kill -9 included."""
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    threading.Thread(target=end_with_parent, daemon=True).start()
    main(["--host", sys.argv[1], "--port", sys.argv[2]])

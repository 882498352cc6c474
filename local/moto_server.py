"""What the process of S3 and SQS runs: moto's server, which ends as soon as the process that started it has ended."""

import os
import sys
import threading
from pathlib import Path

from moto.server import main
from moto.sqs.responses import SQSResponse

from local.aws_services import REGION
from local.kept_bucket import keep_bucket


def end_with_parent() -> None:
    """Our standard input is a pipe that only the parent holds open, so its end is the parent's, kill -9 included."""
    sys.stdin.buffer.read()
    os._exit(0)


def stay_in_one_region() -> None:
    """Find the queues whatever region a request is signed for: `sam local` has its own, or that of its shell."""
    SQSResponse.get_region_from_url = lambda *_: REGION  # type: ignore[method-assign]


if __name__ == "__main__":
    host, port, *kept = sys.argv[1:]
    threading.Thread(target=end_with_parent, daemon=True).start()
    stay_in_one_region()
    if kept:
        keep_bucket(kept[0], Path(kept[1]))
    main(["--host", host, "--port", port])

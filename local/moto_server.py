"""The process of S3 and SQS: moto's server, with one request at a time to each, because moto is not made for threads.

It ends as soon as the process that started it has ended.
"""

import functools
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import moto.sqs.models
from moto.s3.responses import S3Response
from moto.server import main
from moto.sqs.responses import SQSResponse

from local.aws_services import REGION
from local.kept_bucket import keep_bucket


def serve(host: str, port: str) -> None:
    """Answer until the end of the parent."""
    take_turns()
    threading.Thread(target=end_with_parent, daemon=True).start()
    main(["--host", host, "--port", port])


def take_turns() -> None:
    """Let one request to S3 or SQS at a time see and change what is there; one that waits for messages lets others in.

    Two at once lose SQS's messages, bring deleted ones back, and both pass S3's `If-Match`.
    """
    turn = threading.RLock()
    # On these a queue waits for messages, and gives the turn up meanwhile.
    vars(moto.sqs.models)["Condition"] = functools.partial(threading.Condition, turn)

    def in_turn(answer: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(answer)
        def answer_in_turn(*arguments: Any, **named: Any) -> Any:
            with turn:
                return answer(*arguments, **named)

        return answer_in_turn

    # By then the request's body was read, which may take its client any time.
    for response, name in (
        (SQSResponse, "call_action"),
        (S3Response, "_bucket_response"),
        (S3Response, "_key_response"),
    ):
        setattr(response, name, in_turn(getattr(response, name)))


def end_with_parent() -> None:
    """Our standard input is a pipe that only the parent holds open, so its end is the parent's, kill -9 included."""
    sys.stdin.buffer.read()
    os._exit(0)


def stay_in_one_region() -> None:
    """Find the queues whatever region a request is signed for: `sam local` has its own, or that of its shell."""
    SQSResponse.get_region_from_url = lambda *_: REGION  # type: ignore[method-assign]


if __name__ == "__main__":
    address, port_number, *kept = sys.argv[1:]
    stay_in_one_region()
    for name, directory in zip(kept[::2], kept[1::2], strict=True):
        keep_bucket(name, Path(directory))
    serve(address, port_number)

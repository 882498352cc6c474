"""A front before SQS whose witness hears every request and answer."""

import json
from uuid import uuid4

from tests.faults.front import ANSWER, Front
from tests.faults.witness import Witness


class SqsFront(Front):
    """With `drops_a_message` it is a bad SQS, which accepts one message and forgets it."""

    def __init__(self, upstream_port: int, witness: Witness, *, drops_a_message: bool = False) -> None:
        super().__init__(upstream_port, "sqs-front")
        self._witness = witness
        self._drops_a_message = drops_a_message

    async def _exchange(self, request: bytes) -> bytes:
        began_at = self._witness.note_moment()
        # Not a dead letter: it is the api's that is to be missed.
        if self._drops_a_message and b"AmazonSQS.SendMessage\r\n" in request and b'-dead"' not in request:
            self._drops_a_message = False
            body = json.dumps({"MessageId": str(uuid4())}).encode()
            answer = ANSWER % (b"200 OK", len(body), body)
        else:
            answer = await super()._exchange(request)
        self._witness.note_answer(began_at, request, answer)
        return answer

"""The clients: their requests, the pace, and the answers."""

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from queue import Queue
from typing import Any
from uuid import UUID

from lambda_app.http.middleware import BATCH_PATH
from problem.table import TABLE
from tests.events import make_event
from tests.faults.environment import START_SECONDS, Environment
from tests.faults.ledger import Asked, Attempt, make_attempt

# Fewer than there are environments: one client at a time asks two of them at once.
CLIENT_COUNT = 4
CALLERS = (None, "arn:aws:iam::123456789012:user/one", "arn:aws:iam::123456789012:user/two")
MAX_INTERVAL_SECONDS = 0.1
RETRY_SECONDS = (0.8, 2.5)
# More than one message of SQS holds.
LARGE_BATCH, LARGE_EVERY = 600, 80


@dataclass
class Operation:
    """A client's task. With a key it ends once the same answer came twice."""

    asked: Asked
    twins: bool = False
    answered: bool = False
    due_at: float = 0.0


class Traffic:
    """Sends at least `total` requests at the set pace until told to end."""

    def __init__(self, environments: Queue[Environment], total: int, seed: int) -> None:
        self.attempts: list[Attempt] = []
        self.events: Counter[str] = Counter({"twins answered alike": 0, "batches of several messages answered": 0})
        self.fault = ""
        self._environments = environments
        self._total = total
        self._interval = MAX_INTERVAL_SECONDS
        self._random = random.Random(f"{seed} traffic")
        self._lock = threading.Lock()
        self._twins = threading.Lock()
        self._due_at = 0.0
        self._made = 0
        self._repeats: list[Operation] = []
        self._busy = 0
        self._ending = self._given_up = False
        self.failures: list[BaseException] = []

    @contextmanager
    def running(self) -> Iterator[None]:
        """Ask from several threads. The end of the context waits for each key's answer, unless an error ended it."""
        self._due_at = time.monotonic()
        threads = [threading.Thread(target=self._run, name=f"client {number}") for number in range(CLIENT_COUNT)]
        for thread in threads:
            thread.start()
        try:
            yield
        except BaseException:
            self._given_up = True
            raise
        finally:
            self._ending = True
            for thread in threads:
                thread.join()
        if self.failures:
            raise self.failures[0]

    def set_pace(self, seconds: float) -> None:
        """Spread the missing requests over that time. Some traffic always goes on."""
        with self._lock:
            missing = max(1, self._total - len(self.attempts))
            self._interval = min(seconds / missing, MAX_INTERVAL_SECONDS)

    def _run(self) -> None:
        try:
            while not self._is_over():
                operation = self._take()
                if operation is None:
                    time.sleep(0.005)
                    continue
                try:
                    self._perform(operation)
                finally:
                    with self._lock:
                        self._busy -= 1
        except BaseException as error:
            self.failures.append(error)

    def _is_over(self) -> bool:
        with self._lock:
            done = len(self.attempts) >= self._total and not self._repeats and not self._busy
            return self._given_up or bool(self.failures) or (self._ending and done)

    def _take(self) -> Operation | None:
        now = time.monotonic()
        with self._lock:
            operation = next((one for one in self._repeats if one.due_at <= now), None)
            if operation:
                self._repeats.remove(operation)
            elif self._due_at <= now and self._is_wanted():
                self._due_at += self._interval
                self._made += 1
                operation = self._invent()
            self._busy += operation is not None
            return operation

    def _is_wanted(self) -> bool:
        return not self._ending or len(self.attempts) < self._total

    def _invent(self) -> Operation:
        chance = self._random.random()
        keyed = chance < 0.12
        is_large = self._made % LARGE_EVERY == 0
        is_batch = is_large or self._random.random() < 0.1
        size = LARGE_BATCH if is_large else self._random.randint(1, 50) if is_batch else 1
        key = f"key-{self._made}" if keyed else None
        patients = tuple(self._invent_patient() for _ in range(size))
        return Operation(Asked(patients, is_batch, self._random.choice(CALLERS), key), twins=chance < 0.04)

    def _invent_patient(self) -> dict[str, float]:
        return {
            feature.name: float(self._random.choice((1, 2)))
            if feature.name == "sex"
            else round(self._random.uniform(feature.minimum, feature.maximum), 2)
            for feature in TABLE.features
        }

    def _perform(self, operation: Operation) -> None:
        # The pool of environments suffices for one pair of twins at a time.
        if operation.twins and self._twins.acquire(blocking=False):
            operation.twins = False
            try:
                attempts = self._ask_twice_at_once(operation.asked)
            finally:
                self._twins.release()
        else:
            attempts = [self._ask(operation.asked, self._make_id())]
        good = any(attempt.status == 200 for attempt in attempts)
        if operation.asked.key is not None and not (good and operation.answered):
            operation.answered |= good
            operation.due_at = time.monotonic() + random.uniform(*RETRY_SECONDS)
            with self._lock:
                self._repeats.append(operation)

    def _ask_twice_at_once(self, asked: Asked) -> list[Attempt]:
        with ThreadPoolExecutor(1, "twin") as twin:
            other = twin.submit(self._ask, asked, self._make_id())
            attempts = [self._ask(asked, self._make_id()), other.result()]
        with self._lock:
            self.events["twins answered alike"] += all(attempt.status == 200 for attempt in attempts)
        return attempts

    def _make_id(self) -> UUID:
        with self._lock:
            return UUID(int=self._random.getrandbits(128), version=4)

    def _ask(self, asked: Asked, request_id: UUID) -> Attempt:
        event = _make_event(asked)
        environment = self._environments.get(timeout=START_SECONDS)
        try:
            attempt = _measure(environment, event, asked, request_id, self.fault)
        finally:
            self._environments.put(environment)
        with self._lock:
            self.attempts.append(attempt)
            several = len(asked.patients) == LARGE_BATCH and attempt.outcome == "queue"
            self.events["batches of several messages answered"] += several
        return attempt


def _measure(environment: Environment, event: dict[str, Any], asked: Asked, request_id: UUID, fault: str) -> Attempt:
    started = time.monotonic()
    response = environment.ask(event, str(request_id))
    return make_attempt(request_id, asked, fault, time.monotonic() - started, response)


def _make_event(asked: Asked) -> dict[str, Any]:
    if asked.is_batch:
        # By which a batch meets two models during a canary.
        patients = [{**patient, "subject": f"subject-{index}"} for index, patient in enumerate(asked.patients)]
        event = make_event("POST", BATCH_PATH, json.dumps({"patients": patients}))
    else:
        event = make_event("POST", "/predict", json.dumps(asked.patients[0]))
    if asked.key is not None:
        event["headers"]["idempotency-key"] = asked.key
    event["requestContext"].pop("authorizer", None)
    if asked.caller is not None:
        event["requestContext"]["authorizer"] = {"iam": {"userArn": asked.caller}}
    return event

"""The replay functions: each polls the queue in a process of its own, and is killed in the middle of its work."""

import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from tests.faults.environment import Environment

# Most batches take longer.
KILL_WITHIN_SECONDS = 0.03
LIFE_SECONDS = (3.0, 10.0)


class Replayer:
    """Follows one replay function. `events` counts its deaths by place, and the batches delivered twice."""

    def __init__(self, environment: Environment, events: Counter[str], seed: str) -> None:
        self._environment = environment
        self._events = events
        self._random = random.Random(seed)
        self._ending = threading.Event()
        self._merciful = threading.Event()
        self._last_word = ""
        self._thread = threading.Thread(target=self._follow, name="replayer")
        self.unexpected_deaths = 0

    @contextmanager
    def running(self) -> Iterator[None]:
        self._thread.start()
        try:
            yield
        finally:
            self._ending.set()
            self._thread.join()

    def spare(self) -> None:
        """Stop killing it."""
        self._merciful.set()

    def _follow(self) -> None:
        dies_at, dies_after = self._choose_death()
        while not self._ending.is_set():
            try:
                if not self._environment.connection.poll(0.1):
                    continue
                count = self._hear()
            except (EOFError, OSError):
                self.unexpected_deaths += 1
                self._environment.restart()
                continue
            due = self._last_word == dies_after and count > 1 and time.monotonic() > dies_at
            if due and not self._merciful.is_set():
                self._kill()
                dies_at, dies_after = self._choose_death()

    def _choose_death(self) -> tuple[float, str]:
        """Choose the time from which it may die, and the report after which it does."""
        return time.monotonic() + self._random.uniform(*LIFE_SECONDS), self._random.choice(("received", "stored"))

    def _hear(self) -> int:
        self._last_word, count = self._environment.connection.recv()
        self._events["batches delivered twice"] += self._last_word == "repeated"
        return int(count)

    def _kill(self) -> None:
        if self._last_word == "received":
            time.sleep(self._random.uniform(0, KILL_WITHIN_SECONDS))
        self._environment.kill()
        try:
            while self._environment.connection.poll():
                self._hear()
        except (EOFError, OSError):
            pass
        # Between the first record and the last, or between the last and the deletion of the messages.
        self._events["replay killed while storing"] += self._last_word in {"received", "repeated"}
        self._events["replay killed before deleting"] += self._last_word == "stored"
        self._environment.restart()


@contextmanager
def running_replayers(environments: list[Environment], events: Counter[str], seed: int) -> Iterator[list[Replayer]]:
    """Follow them until the context ends."""
    for name in ("replay killed while storing", "replay killed before deleting", "batches delivered twice"):
        events[name] += 0
    replayers = [Replayer(one, events, f"{seed} replayer {index}") for index, one in enumerate(environments)]
    with ExitStack() as stack:
        for replayer in replayers:
            stack.enter_context(replayer.running())
        yield replayers

"""The faults of a candidate, and those around it while it is tried."""

import random
import time

from lambda_app.model.bundle import CANARY, SHADOW
from tests.faults.faults import DATABASE, DIED, QUEUE, Fault
from tests.faults.front import Mode
from tests.faults.stage import Stage
from tests.faults.trials import ALTERED, DISTANT, GOOD, MISSING, NOT_FINITE, RAISING, SLOW

MODES = (SHADOW, CANARY)
# Longer than an environment keeps a model without a look at the pointer.
FOLLOWED_SECONDS = (1.2, 1.5)
# A machine with other work may take so much longer to ask for the files.
MET_SECONDS = 5.0


def _try_what_cannot_be_loaded(stage: Stage, dice: random.Random) -> None:
    for version in (ALTERED, MISSING):
        stage.trials.point(version, dice.choice(MODES))
        time.sleep(dice.uniform(*FOLLOWED_SECONDS))
    # No candidate at all, by its share.
    stage.trials.point(GOOD, dice.choice(MODES), share=7)
    time.sleep(dice.uniform(*FOLLOWED_SECONDS))


def _try_what_fails_later(stage: Stage, dice: random.Random) -> None:
    for version in dice.sample((NOT_FINITE, RAISING, SLOW), 3):
        for mode in MODES:
            stage.trials.point(version, mode, share=dice.choice((0.5, 1)))
            time.sleep(dice.uniform(*FOLLOWED_SECONDS))


def _keep_its_files_away(stage: Stage, dice: random.Random) -> None:
    modes: list[Mode] = ["silent", "error", "reset", "truncated"]
    stage.s3_front.target = f"/{DISTANT}/".encode()
    for mode in dice.sample(modes, len(modes)):
        before = stage.s3_front.seen[mode]
        stage.s3_front.mode = mode
        stage.trials.point(DISTANT, dice.choice(MODES))
        time.sleep(dice.uniform(1.5, 2.0))
        deadline = time.monotonic() + MET_SECONDS
        while stage.s3_front.seen[mode] == before and time.monotonic() < deadline:
            time.sleep(0.1)
        stage.events[f"requests for a candidate's files, {mode}"] += stage.s3_front.seen[mode] - before


def _switch(stage: Stage, dice: random.Random) -> None:
    for mode, share in ((SHADOW, 0.5), (CANARY, 0.2), (CANARY, 0.5)):
        stage.trials.point(GOOD, mode, share)
        time.sleep(dice.uniform(*FOLLOWED_SECONDS))
    stage.trials.point(current=GOOD)
    time.sleep(dice.uniform(*FOLLOWED_SECONDS))
    # Back again, and at once forth and back.
    for current in (None, GOOD, None):
        stage.trials.point(current=current)
        time.sleep(dice.uniform(0.1, 0.8))


def _try_without_database(stage: Stage, dice: random.Random) -> None:
    for mode in MODES:
        stage.trials.point(GOOD, mode, share=0.5)
        time.sleep(dice.uniform(*FOLLOWED_SECONDS))
        stage.rds.mode = "refuse"
        time.sleep(dice.uniform(0.5, 1.0))
        dice.choice(stage.apis).doom()
        stage.rds.mode = "forward"


CANDIDATE_FAULTS = (
    Fault("candidate altered, missing, or with no valid share", _try_what_cannot_be_loaded, frozenset({DATABASE})),
    Fault("candidate that answers NaN, raises, or is slow", _try_what_fails_later, frozenset({DATABASE})),
    Fault("S3 silent or failing for the candidate's files", _keep_its_files_away, frozenset({DATABASE})),
    Fault("pointer switched: shadow, canary, all, rollback", _switch, frozenset({DATABASE})),
    Fault(
        "candidate tried while the database refuses and environments die",
        _try_without_database,
        frozenset({DATABASE, QUEUE, DIED}),
    ),
)

"""What is known at the end of a drill."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from tests.faults.ledger import Attempt, Row
from tests.faults.versions import Named, Predict
from tests.faults.witness import WitnessReport


@dataclass(frozen=True)
class Evidence:
    """All that is known at the end of a drill.

    `planted` are the ids of records that the drill itself put into the queue and that can be stored; `unstorable` is
    what it put there and cannot. `waiting` counts the messages still in the queue, `deaths` the functions that ended
    by themselves. `witness_report` is what the witness at SQS saw, until all that was left had been taken out. `shows`
    names for each fault the outcomes without which it proves nothing, and `events` counts what else must have happened.
    `named` is the story of the pointer, and `models` are the versions that may have answered.
    """

    attempts: Sequence[Attempt]
    rows: Sequence[Row]
    planted: frozenset[UUID] = frozenset()
    unstorable: frozenset[str] = frozenset()
    dead_letters: frozenset[str] = frozenset()
    waiting: int = 0
    deaths: int = 0
    witness_report: WitnessReport = field(default_factory=WitnessReport)
    shows: Mapping[str, frozenset[str]] = field(default_factory=dict)
    events: Mapping[str, int] = field(default_factory=dict)
    named: Sequence[Named] = ()
    models: Mapping[str, Predict] = field(default_factory=dict)

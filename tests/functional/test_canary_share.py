"""The share of a canary, by ten thousand requests to the service: real model, real table, no HTTP around it."""

import random
import time
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin
from uuid import UUID

import pytest
from scipy.stats import chi2

from lambda_app.aws.client import AwsClient
from lambda_app.aws.signature import Identity
from lambda_app.http.schemas import EXAMPLE_REQUEST
from lambda_app.log.database import Database
from lambda_app.log.queue import RecordQueue
from lambda_app.log.writer import RecordWriter
from lambda_app.model.bundle import CANARY, fetch_changed
from lambda_app.model.current import CurrentModel
from lambda_app.model.predictor import load_model
from lambda_app.service import Caller, Case, PredictionService, RequestContext
from lambda_app.settings import Settings
from tests.bundles import Registry, open_bucket
from tests.functional.candidates import CANDIDATE
from tests.functional.helpers import Query

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

REQUESTS = 10_000


def ignore(*_: Any, **__: Any) -> None: ...


@pytest.fixture
def service(settings: Settings, client: "S3Client", trying: Registry, database: Database) -> PredictionService:
    bucket = open_bucket(client.meta.endpoint_url, trying.bucket)
    model = CurrentModel(
        partial(fetch_changed, bucket, "litert"),
        partial(load_model, runtime_name="litert"),
        refresh_seconds=3600,
        # Slow is whoever has to wait for other tests.
        candidate_max_ms=10_000,
        on_loaded=ignore,
        on_failed=ignore,
        on_candidate_failed=ignore,
    )
    identity = Identity("eu-west-1", "local", "local", None)
    queue = RecordQueue(lambda: AwsClient(identity, "sqs", urljoin(settings.queue_url, "/")), settings.queue_url)
    writer = RecordWriter(database, queue, ignore)
    return PredictionService(
        model, database, queue, writer, on_recorded=ignore, on_outcomes_recorded=ignore, on_tried=ignore
    )


@pytest.mark.parametrize("share", [0.05, 0.2])
def test_candidate_answers_its_share_of_ten_thousand_requests(
    share: float, trying: Registry, service: PredictionService, query: Query
) -> None:
    # The same ids each time: otherwise one run in a thousand would fail by chance.
    chance = random.Random(f"share {share}")
    trying.point(candidate=CANDIDATE, mode=CANARY, share=share, salt=f"{chance.getrandbits(64):016x}")
    caller = Caller(f"arn:aws:iam::123456789012:role/{chance.getrandbits(64):x}")
    versions: Counter[str] = Counter()
    stored: Counter[str] = Counter()
    for number in range(REQUESTS):
        # By turns the subject chooses, and the request's id.
        subject = f"patient-{chance.getrandbits(64)}" if number % 2 else None
        context = RequestContext(UUID(int=chance.getrandbits(128)), time.perf_counter(), caller, None)
        written = service.predict(Case(EXAMPLE_REQUEST, subject), context)
        [record] = written.records
        versions[record.model_version] += 1
        # The queue takes those for which the database is too slow.
        stored[record.model_version] += written.destination == "database"
    rows = query("SELECT model_version, count(*) FROM predictions WHERE caller = :name GROUP BY 1", name=caller.name)
    assert dict(rows) == stored
    assert stored.total() > REQUESTS / 2
    assert versions.keys() == {trying.version, CANDIDATE}
    count, expected = versions[CANDIDATE], share * REQUESTS
    statistic = (count - expected) ** 2 / expected + (count - expected) ** 2 / (REQUESTS - expected)
    p_value = chi2.sf(statistic, df=1)
    print(f"share {count / REQUESTS:.2%}, p {p_value:.2f}")
    assert p_value > 0.001

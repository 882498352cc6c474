"""The functions that are compared."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Variant:
    """`lock` in requirements/ names its packages; `code`, files and packages, is copied among them, as in the image.

    `inference` is what predicts, as inference.py knows it; "" where nothing does.
    """

    name: str
    lock: str
    code: Sequence[Path]
    handler: str
    inference: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)
    is_service: bool = False
    has_batches: bool = False


VARIANTS_CODE = ROOT / "benchmarks" / "variants"
# The stage writes the features for the functions that have none of the service's code.
FEATURES = ROOT / "build" / "bench" / "features.json"
REQUEST_MODEL = [VARIANTS_CODE / "request_model.py", FEATURES]
SERVICE_CODE = [ROOT / "problem", ROOT / "lambda_app"]

HELLO_WORLD = Variant("bare", "bench-bare", [VARIANTS_CODE / "hello_world.py", *REQUEST_MODEL], "hello_world.handler")
SERVICE = Variant(
    "service",
    "lambda-litert",
    SERVICE_CODE,
    "lambda_app.handler.api",
    "litert",
    {"MODEL_RUNTIME": "litert"},
    is_service=True,
    has_batches=True,
)
# The stage makes the bucket of a service with a candidate.
SHADOW_BUCKET = "models-with-candidate"
SERVICE_SHADOW = replace(
    SERVICE,
    name="service-shadow",
    # The model alone is the same one.
    inference="",
    # A candidate that this machine once makes wait is to take part all the same.
    settings={**SERVICE.settings, "MODEL_BUCKET": SHADOW_BUCKET, "CANDIDATE_MAX_MS": "10000"},
)
SERVICE_TENSORFLOW = Variant(
    "service-tensorflow",
    "lambda-tensorflow",
    SERVICE_CODE,
    "lambda_app.handler.api",
    "tensorflow",
    {"MODEL_RUNTIME": "tensorflow"},
    is_service=True,
)
USUAL_WAY = Variant(
    "known", "bench-known", [VARIANTS_CODE / "usual_way.py", *REQUEST_MODEL], "usual_way.handler", "known"
)
VARIANTS = (HELLO_WORLD, SERVICE, SERVICE_SHADOW, SERVICE_TENSORFLOW, USUAL_WAY)

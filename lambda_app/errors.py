"""The exceptions of the service, and which HTTP problem each becomes."""

from dataclasses import dataclass
from http import HTTPStatus

from lambda_app.project import NAME


@dataclass(frozen=True)
class Problem:
    """A kind of problem by RFC 9457: its status, the last part of its type URI, and its title."""

    status: HTTPStatus
    slug: str
    title: str

    @property
    def type(self) -> str:
        return f"urn:{NAME}:problem:{self.slug}"


INVALID_INPUT = Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-input", "The input was refused")
MALFORMED_JSON = Problem(HTTPStatus.BAD_REQUEST, "malformed-json", "The body is not JSON")
UNSUPPORTED_ENCODING = Problem(
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported-encoding", "The body's Content-Encoding is not supported"
)
BODY_TOO_LARGE = Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "body-too-large", "The body is too large")
NOT_FOUND = Problem(HTTPStatus.NOT_FOUND, "not-found", "There is nothing at this path")
METHOD_NOT_ALLOWED = Problem(HTTPStatus.METHOD_NOT_ALLOWED, "method-not-allowed", "The path takes another method")
INTERNAL_ERROR = Problem(HTTPStatus.INTERNAL_SERVER_ERROR, "internal-error", "The service failed")


class ServiceError(Exception):
    """A failure whose text may be shown to the caller: it never holds a feature value or a secret."""

    problem = INTERNAL_ERROR
    retry_after_seconds: int | None = None


class SettingsError(ServiceError):
    """The environment variables cannot be used; lists every fault."""


class EventError(ServiceError):
    """The event is none of API Gateway's HTTP API in payload format 2.0."""

    problem = Problem(HTTPStatus.BAD_REQUEST, "unreadable-event", "The function does not take this event")


class UnknownCallerError(ServiceError):
    """The gateway has an authorizer, which named nobody."""

    problem = Problem(HTTPStatus.FORBIDDEN, "unknown-caller", "The caller is unknown")

    def __init__(self) -> None:
        super().__init__("Records belong to a caller: a token needs the claim sub or client_id, a signature its ARN.")


class BundleError(ServiceError):
    """The model bundle is missing, damaged, or not for this code."""


class PredictionError(ServiceError):
    """The model answered with something that is not a finite number."""


class ModelUnavailableError(ServiceError):
    """No model is loaded; the text says why."""

    problem = Problem(HTTPStatus.SERVICE_UNAVAILABLE, "model-unavailable", "No model is loaded")
    retry_after_seconds = 1


class RecordError(ServiceError):
    """The prediction could not be recorded, so it is not given."""

    problem = Problem(HTTPStatus.SERVICE_UNAVAILABLE, "record-unavailable", "The prediction could not be recorded")
    # As long as the database is left alone after a failure.
    retry_after_seconds = 10


class LookupFailedError(ServiceError):
    """The database could not be asked for a record."""

    problem = Problem(HTTPStatus.SERVICE_UNAVAILABLE, "lookup-unavailable", "The record could not be looked up")
    retry_after_seconds = 10


class RecordNotFoundError(ServiceError):
    """There is no such record for this caller; of others' records it tells nothing."""

    problem = Problem(HTTPStatus.NOT_FOUND, "record-not-found", "There is no such prediction")

    def __init__(self) -> None:
        super().__init__("No prediction of yours has this id.")


class IdempotencyKeyError(ServiceError):
    """The Idempotency-Key header cannot be read."""

    problem = Problem(HTTPStatus.BAD_REQUEST, "malformed-idempotency-key", "The Idempotency-Key is malformed")


class IdempotencyConflictError(ServiceError):
    """The caller's Idempotency-Key belongs to another request."""

    problem = Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "idempotency-key-reused", "The Idempotency-Key was used before")

"""The exceptions of the service, each with its HTTP problem."""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

from lambda_app.project import NAME


@dataclass(frozen=True)
class Problem:
    """A problem type of RFC 9457: its status, the last part of its type URI, and its title."""

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
METHOD_NOT_ALLOWED = Problem(HTTPStatus.METHOD_NOT_ALLOWED, "method-not-allowed", "The path does not allow this method")
INTERNAL_ERROR = Problem(HTTPStatus.INTERNAL_SERVER_ERROR, "internal-error", "The service failed")


class ServiceError(Exception):
    """A failure with a text for the caller. The text never contains a feature value or a secret."""

    problem = INTERNAL_ERROR
    retry_after_seconds: int | None = None


class SettingsError(ServiceError):
    """Environment variables are missing or wrong; the text lists all of them."""


class EventError(ServiceError):
    """The event does not come from API Gateway's HTTP API in payload format 2.0."""

    problem = Problem(HTTPStatus.BAD_REQUEST, "unreadable-event", "The function does not take this event")


class UnknownCallerError(ServiceError):
    """The gateway has an authorizer, but it named no caller."""

    problem = Problem(HTTPStatus.FORBIDDEN, "unknown-caller", "The caller is unknown")

    def __init__(self) -> None:
        super().__init__(
            "Records belong to a caller: a token needs the claim sub or client_id, a signature its ARN, printable and "
            "of at most 1,024 bytes."
        )


class BundleError(ServiceError):
    """The model bundle is missing, damaged, or not for this code."""


class PredictionError(ServiceError):
    """The model returned a value that is not a finite number."""


class ModelUnavailableError(ServiceError):
    """No model is loaded; the text says why."""

    problem = Problem(HTTPStatus.SERVICE_UNAVAILABLE, "model-unavailable", "No model is loaded")
    retry_after_seconds = 1


class RecordError(ServiceError):
    """The prediction could not be recorded, so it is not returned."""

    problem = Problem(HTTPStatus.SERVICE_UNAVAILABLE, "record-unavailable", "The prediction could not be recorded")
    # After a failure, the breaker skips the database for this long.
    retry_after_seconds = 10


class OutcomeError(RecordError):
    """The outcomes could not be recorded."""

    problem = Problem(HTTPStatus.SERVICE_UNAVAILABLE, "outcome-unavailable", "The outcomes could not be recorded")


class OutcomesRefusedError(ServiceError):
    """Outcomes that are not possible; `refused` has each field with what is wrong with it."""

    problem = INVALID_INPUT

    def __init__(self, refused: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{field} {fault}" for field, fault in refused.items()))
        self.refused = refused


class OutcomeRouteError(ServiceError):
    """The gateway let the request through by another route than that of outcomes, which has a right of its own."""

    problem = Problem(HTTPStatus.FORBIDDEN, "other-route", "Outcomes have a route of their own")

    def __init__(self) -> None:
        super().__init__("The API must have the route POST /outcomes, and the request exactly this path.")


class LookupFailedError(ServiceError):
    """The database could not look up a record."""

    problem = Problem(HTTPStatus.SERVICE_UNAVAILABLE, "lookup-unavailable", "The record could not be looked up")
    retry_after_seconds = 10


class RecordNotFoundError(ServiceError):
    """The caller has no such record; another caller may have one."""

    problem = Problem(HTTPStatus.NOT_FOUND, "record-not-found", "There is no such prediction")

    def __init__(self) -> None:
        super().__init__("No prediction of yours has this id.")


class IdempotencyKeyError(ServiceError):
    """The Idempotency-Key header cannot be read."""

    problem = Problem(HTTPStatus.BAD_REQUEST, "malformed-idempotency-key", "The Idempotency-Key is malformed")


class IdempotencyConflictError(ServiceError):
    """The caller's Idempotency-Key belongs to another request."""

    problem = Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "idempotency-key-reused", "The Idempotency-Key was used before")

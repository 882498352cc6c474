"""The S3 bucket of the models, for reading."""

from http import HTTPStatus

from lambda_app.aws.client import AWS_ERRORS, AwsClient, AwsError, Response
from lambda_app.errors import BundleError, MissingObjectError

# Without s3:ListBucket, which no function has, S3 answers AccessDenied for a missing object.
_MISSING_CODES = ("NoSuchKey", "AccessDenied")


class ModelBucket:
    """Reads objects; every failure is a BundleError with the key and the reason."""

    def __init__(self, client: AwsClient) -> None:
        self._client = client

    def fetch(self, key: str) -> bytes:
        """Return the content of the object."""
        return self._get(key, {}).body

    def fetch_changed(self, key: str, known_etag: str | None) -> tuple[bytes, str] | None:
        """Return the content and its ETag; None if the ETag is the known one."""
        answer = self._get(key, {"if-none-match": known_etag} if known_etag else {})
        return None if answer.status == HTTPStatus.NOT_MODIFIED else (answer.body, answer.headers["etag"])

    def _get(self, key: str, headers: dict[str, str]) -> Response:
        try:
            return self._client.read(f"/{key}", headers)
        except AWS_ERRORS as error:
            reason = error.code if isinstance(error, AwsError) else type(error).__name__
            kind = MissingObjectError if reason in _MISSING_CODES else BundleError
            raise kind(f"{key} cannot be read from S3: {reason}") from error

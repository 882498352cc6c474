"""Reads ranges of an object in S3 as a file, so that a search need not fetch all of it."""

import io
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client


class ObjectReader(io.RawIOBase):
    """One version of an object."""

    def __init__(self, s3: "S3Client", bucket: str, key: str, version_id: str, size: int) -> None:
        self._s3 = s3
        self._name = {"Bucket": bucket, "Key": key, "VersionId": version_id}
        self._size = size
        self._place = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._size}[whence]
        self._place = start + offset
        return self._place

    def readinto(self, buffer: Any) -> int:
        length = min(len(buffer), self._size - self._place)
        if length <= 0:
            return 0
        # The types of the client want names that are written out.
        answer = self._s3.get_object(**self._name, Range=f"bytes={self._place}-{self._place + length - 1}")  # type: ignore[arg-type]
        content = answer["Body"].read()
        buffer[: len(content)] = content
        self._place += len(content)
        return len(content)

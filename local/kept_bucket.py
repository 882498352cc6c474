"""Buckets of moto's S3 whose objects are files too, so that registry and exports outlive the server."""

import base64
import hashlib
import os
from functools import wraps
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from moto.s3.models import S3Backend, s3_backends

from local.aws_services import ACCOUNT


def keep_bucket(name: str, directory: Path) -> None:
    """Make the bucket with the objects that lie in `directory`, and from now on write there what is put or deleted.

    Only the current version of an object outlives the server.

    It needs the server's requests to come one at a time.
    """
    directory.mkdir(parents=True, exist_ok=True)
    backend: S3Backend = s3_backends[ACCOUNT]["aws"]
    # As a PUT that names no region would: there, one that comes later finds its bucket made.
    backend.create_bucket(name, "us-east-1")
    # What a killed server was writing has a name that starts with a dot.
    for path in directory.glob("[!.]*"):
        if path.is_file():
            content = path.read_bytes()
            key = backend.put_object(name, unquote(path.name), content)
            # What its HEAD tells who asks for it.
            key.checksum_algorithm = "SHA256"
            key.checksum_value = base64.b64encode(hashlib.sha256(content).digest()).decode()
    put, delete = backend.put_object, backend.delete_object

    @wraps(put)
    def put_object(bucket_name: str, key_name: str, *arguments: Any, **named: Any) -> Any:
        key = put(bucket_name, key_name, *arguments, **named)
        if bucket_name == name:
            _write(directory / _name_file(key_name), key.value)
        return key

    @wraps(delete)
    def delete_object(bucket_name: str, key_name: str, *arguments: Any, **named: Any) -> Any:
        answer = delete(bucket_name, key_name, *arguments, **named)
        if bucket_name == name:
            # If an old version has gone, the current one stays; if it was that, the one before is current.
            current = backend.get_object(name, key_name)
            if current is None:
                (directory / _name_file(key_name)).unlink(missing_ok=True)
            else:
                _write(directory / _name_file(key_name), current.value)
        return answer

    backend.put_object = put_object  # type: ignore[method-assign]
    backend.delete_object = delete_object  # type: ignore[method-assign]


def _name_file(key: str) -> str:
    name = quote(key, safe="")
    # One that begins with a dot would be taken for half-written.
    return f"%2E{name[1:]}" if name.startswith(".") else name


def _write(path: Path, content: bytes) -> None:
    """The whole content or the former one, whenever the server is killed."""
    draft = path.with_name(f".{path.name}")
    draft.write_bytes(content)
    os.replace(draft, path)

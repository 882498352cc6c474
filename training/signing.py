"""Signatures of versions: KMS signs the SHA-256 of a manifest, which names the digest of every other file.

The signature is in `models/<version>/manifest.sig.json`. It counts for the key that the person names, whatever key the
file names. KMS verifies too, so a key that was disabled counts for nothing.
"""

import base64
import binascii
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from training.aws_errors import describe_aws_error
from training.errors import RegistryError

SIGNATURE = "manifest.sig.json"
ALGORITHM = "ECDSA_SHA_256"
_ARN = re.compile(r"arn:[a-z-]+:kms:([a-z0-9-]+):[0-9]{12}:(key|alias)/[A-Za-z0-9/_-]+")
_WRONG_KIND = ("InvalidKeyUsageException", "ValidationException")


@dataclass(frozen=True)
class SigningKey:
    """A key of KMS for ECDSA on P-256, and KMS's client of its region."""

    arn: str
    kms: Any


def connect_key(arn: str, session: boto3.Session | None = None, endpoint_url: str | None = None) -> SigningKey:
    """Name the key by its ARN, or by that of an alias; RegistryError when it is none."""
    found = _ARN.fullmatch(arn)
    if found is None:
        raise RegistryError(f"{arn!r} is not the ARN of a key of KMS, such as arn:aws:kms:REGION:ACCOUNT:key/ID")
    config = Config(connect_timeout=5, read_timeout=30, retries={"max_attempts": 2})
    with _explain_failures(arn):
        # By a variable, since the stubs know only the clients of some services.
        connect: Callable[..., Any] = (session or boto3.Session()).client
        return SigningKey(arn, connect("kms", region_name=found[1], endpoint_url=endpoint_url, config=config))


def sign_manifest(key: SigningKey, manifest: bytes) -> bytes:
    """Return the content of the signature's file; RegistryError when the key does not sign."""
    digest = sha256(manifest)
    with _explain_failures(key.arn):
        answer = key.kms.sign(KeyId=key.arn, Message=digest.digest(), MessageType="DIGEST", SigningAlgorithm=ALGORITHM)
    document = {
        "key": key.arn,
        "algorithm": ALGORITHM,
        "manifest_sha256": digest.hexdigest(),
        "signature": base64.b64encode(answer["Signature"]).decode(),
    }
    return json.dumps(document, indent=2).encode() + b"\n"


def verify_signature(key: SigningKey, version: str, manifest: bytes, signature: bytes | None) -> None:
    """RegistryError unless the file has this key's signature of this manifest."""
    if signature is None:
        raise RegistryError(f"version {version} is not signed: it has no {SIGNATURE}")
    try:
        value = base64.b64decode(json.loads(signature)["signature"], validate=True)
    except (binascii.Error, KeyError, TypeError, ValueError) as error:
        raise RegistryError(f"version {version} is not signed: its {SIGNATURE} is not a signature") from error
    wrong = RegistryError(f"version {version} is wrongly signed: its manifest does not have the signature of {key.arn}")
    # KMS takes a signature of 1 to 6144 bytes, and one for P-256 has at most 72.
    if not 1 <= len(value) <= 72:
        raise wrong
    with _explain_failures(key.arn):
        try:
            answer = key.kms.verify(
                KeyId=key.arn,
                Message=sha256(manifest).digest(),
                MessageType="DIGEST",
                Signature=value,
                SigningAlgorithm=ALGORITHM,
            )
        except key.kms.exceptions.KMSInvalidSignatureException as error:
            raise wrong from error
    if answer.get("SignatureValid") is not True:
        raise wrong


@contextmanager
def _explain_failures(arn: str) -> Iterator[None]:
    """Turn errors of boto3 into a RegistryError with a plain text."""
    try:
        yield
    except (BotoCoreError, ClientError, ValueError) as error:
        if isinstance(error, ClientError) and error.response.get("Error", {}).get("Code") in _WRONG_KIND:
            raise RegistryError(
                f"{arn} can't sign versions: it must be an asymmetric key to sign and verify, ECC_NIST_P256"
            ) from error
        raise RegistryError(describe_aws_error(error, "KMS")) from error

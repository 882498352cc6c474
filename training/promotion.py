"""Decisions about the served version: promote, roll back, try a candidate as a shadow or a canary, end the trial."""

import secrets
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Literal

from lambda_app.model.bundle import MANIFEST, Candidate, bundle_key, sha256_hex
from training.decision import Decision
from training.documents import State, describe_candidate, fetch_pointer
from training.eligibility import read_gates, require_eligible
from training.errors import RegistryError
from training.pointer import Change, move_pointer
from training.signing import SigningKey
from training.storage import explain_failures, fetch_object

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

Mode = Literal["shadow", "canary"]
NONE_CURRENT = "no version is current yet: promote one"


def promote_version(
    client: "S3Client", bucket: str, version: str, decision: Decision, key: SigningKey | None = None
) -> Change | None:
    """Make `version` the one that is served, and end a trial; return None when it is so already.

    RegistryError when it is not published whole, when it is not signed by the key, if one is given, or when someone
    else moved the pointer meanwhile.
    """
    with explain_failures(bucket):
        pointer = fetch_pointer(client, bucket)
        manifest = require_eligible(client, bucket, version, key)
        after = State(version, sha256_hex(manifest))
        return move_pointer(client, bucket, pointer, "promote", after, decision, read_gates(manifest))


def rollback_version(
    client: "S3Client", bucket: str, decision: Decision, key: SigningKey | None = None
) -> Change | None:
    """Make the version that was served before the current one the one that is served, and end a trial.

    RegistryError when there is none, or as for a promotion. Rolling back twice leads back to where it began. None is
    for a pointer that was written by hand, with the current version as the one before.
    """
    with explain_failures(bucket):
        pointer = fetch_pointer(client, bucket)
        if pointer is None:
            raise RegistryError(NONE_CURRENT)
        if pointer.previous is None:
            tried = pointer.state.candidate
            hint = f". `abort` ends the trial of {describe_candidate(tried)}" if tried is not None else ""
            raise RegistryError(f"the current version is the first one: there is none before it to go back to{hint}")
        manifest = require_eligible(client, bucket, pointer.previous, key)
        after = State(pointer.previous, sha256_hex(manifest))
        return move_pointer(client, bucket, pointer, "rollback", after, decision, read_gates(manifest))


def try_version(
    client: "S3Client",
    bucket: str,
    version: str,
    mode: Mode,
    share: float,
    decision: Decision,
    key: SigningKey | None = None,
) -> Change | None:
    """Try `version` for a share of the cases, in place of another candidate; return None when it is tried so already.

    The current version stays. While it is the same candidate, a case that was in its share stays in a larger one.
    RegistryError as for a promotion, or for the current version.
    """
    with explain_failures(bucket):
        pointer = fetch_pointer(client, bucket)
        if pointer is None:
            raise RegistryError(f"{NONE_CURRENT}, since a candidate is tried beside it")
        if pointer.state.version == version:
            raise RegistryError(f"{version} is the current version: a candidate must be another one")
        manifest = require_eligible(client, bucket, version, key)
        tried = pointer.candidate
        salt = tried.salt if tried and tried.version == version else secrets.token_hex(8)
        candidate = asdict(Candidate(version, sha256_hex(manifest), mode, share, salt))
        after = replace(pointer.state, candidate=candidate)
        return move_pointer(client, bucket, pointer, mode, after, decision, read_gates(manifest))


def abort_trial(client: "S3Client", bucket: str, decision: Decision) -> Change | None:
    """End the trial, so that the current version serves alone; return None when there is none.

    It asks for no file of either version, so a damaged candidate does not hinder it.
    """
    with explain_failures(bucket):
        pointer = fetch_pointer(client, bucket)
        if pointer is None:
            raise RegistryError(NONE_CURRENT)
        tried = pointer.candidate
        found = fetch_object(client, bucket, bundle_key(tried.version, MANIFEST)) if tried else None
        after = replace(pointer.state, candidate=None)
        return move_pointer(
            client, bucket, pointer, "abort", after, decision, read_gates(found.content if found else b"{}")
        )

"""Signed versions with moto's KMS: promoted only with the signature of the named key on the manifest."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from lambda_app.model.bundle import POINTER_KEY
from local.aws_client import connect_aws
from local.aws_services import REGION, AwsServices
from tests.bundles import DECISION, copy_bundle, name_versions
from tests.training.command_line import WHY, Run, assert_refused, read_table
from training.errors import RegistryError
from training.promotion import promote_version, rollback_version, try_version
from training.registry import publish_bundle, verify_version
from training.signing import SigningKey, connect_key, sign_manifest

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

SIGNATURE = "models/v1/manifest.sig.json"
MakeKey = Callable[..., SigningKey]


@pytest.fixture
def make_key(aws: AwsServices) -> MakeKey:
    kms = connect_aws("kms", aws.endpoint_url)

    def make(spec: str = "ECC_NIST_P256", usage: str = "SIGN_VERIFY") -> SigningKey:
        return SigningKey(kms.create_key(KeySpec=spec, KeyUsage=usage)["KeyMetadata"]["Arn"], kms)

    return make


@pytest.fixture
def key(make_key: MakeKey) -> SigningKey:
    return make_key()


@pytest.fixture
def signed(client: "S3Client", bucket: str, bundle: Path, tmp_path: Path, key: SigningKey) -> str:
    """A bucket with the signed version v1, which is current, and v2, which is not signed."""
    publish_bundle(client, bucket, copy_bundle(bundle, tmp_path, version="v1"), key=key)
    promote_version(client, bucket, "v1", DECISION, key)
    publish_bundle(client, bucket, copy_bundle(bundle, tmp_path, version="v2"))
    return bucket


def rewrite(client: "S3Client", bucket: str, key: str, **changed: Any) -> None:
    document = json.loads(client.get_object(Bucket=bucket, Key=key)["Body"].read())
    client.put_object(Bucket=bucket, Key=key, Body=json.dumps({**document, **changed}).encode())


def test_a_signed_version_is_verified_and_one_without_is_refused(
    client: "S3Client", signed: str, key: SigningKey, tmp_path: Path
) -> None:
    verify_version(client, signed, "v1", key)
    with pytest.raises(RegistryError, match=r"version v2 is not signed: it has no manifest\.sig\.json"):
        promote_version(client, signed, "v2", DECISION, key)
    with pytest.raises(RegistryError, match="v2 is not signed"):
        verify_version(client, signed, "v2", key)
    # Who asks for no signature moves it, and back only to a signed one.
    promote_version(client, signed, "v2", DECISION)
    assert name_versions(rollback_version(client, signed, DECISION, key)) == ("v2", "v1")
    with pytest.raises(RegistryError, match="v2 is not signed"):
        rollback_version(client, signed, DECISION, key)
    # It can be signed later, and again without a change.
    assert publish_bundle(client, signed, tmp_path / "v2", key=key) == ("v2", False)
    assert publish_bundle(client, signed, tmp_path / "v2", key=key) == ("v2", False)
    assert promote_version(client, signed, "v2", DECISION, key)


def change_manifest(client: "S3Client", bucket: str, make_key: MakeKey) -> None:
    rewrite(client, bucket, "models/v1/manifest.json", commit="0" * 40)


def change_signature(client: "S3Client", bucket: str, make_key: MakeKey) -> None:
    document = json.loads(client.get_object(Bucket=bucket, Key=SIGNATURE)["Body"].read())
    value = bytearray(base64.b64decode(document["signature"]))
    value[-1] ^= 1
    rewrite(client, bucket, SIGNATURE, signature=base64.b64encode(value).decode())


def sign_by_another_key(client: "S3Client", bucket: str, make_key: MakeKey) -> None:
    """With that key's ARN in the file."""
    manifest = client.get_object(Bucket=bucket, Key="models/v1/manifest.json")["Body"].read()
    client.put_object(Bucket=bucket, Key=SIGNATURE, Body=sign_manifest(make_key(), manifest))


def write_nothing(client: "S3Client", bucket: str, make_key: MakeKey) -> None:
    rewrite(client, bucket, SIGNATURE, signature="")


def write_nonsense(client: "S3Client", bucket: str, make_key: MakeKey) -> None:
    client.put_object(Bucket=bucket, Key=SIGNATURE, Body=b'{"signature": "not base64!"}')


@pytest.mark.parametrize(
    ("attack", "reason"),
    [
        (change_manifest, "v1 is wrongly signed: its manifest does not have the signature of arn:aws:kms:"),
        (change_signature, "v1 is wrongly signed"),
        (sign_by_another_key, "v1 is wrongly signed"),
        (write_nothing, "v1 is wrongly signed"),
        (write_nonsense, r"v1 is not signed: its manifest\.sig\.json is not a signature"),
    ],
)
def test_what_was_tampered_with_is_refused(
    client: "S3Client",
    signed: str,
    key: SigningKey,
    make_key: MakeKey,
    attack: Callable[["S3Client", str, MakeKey], None],
    reason: str,
) -> None:
    promote_version(client, signed, "v2", DECISION)
    before = client.get_object(Bucket=signed, Key=POINTER_KEY)["Body"].read()
    attack(client, signed, make_key)
    with pytest.raises(RegistryError, match=reason):
        promote_version(client, signed, "v1", DECISION, key)
    with pytest.raises(RegistryError, match=reason):
        rollback_version(client, signed, DECISION, key)
    with pytest.raises(RegistryError, match=reason):
        try_version(client, signed, "v1", "canary", 0.05, DECISION, key)
    with pytest.raises(RegistryError, match=reason):
        verify_version(client, signed, "v1", key)
    assert client.get_object(Bucket=signed, Key=POINTER_KEY)["Body"].read() == before


def test_a_changed_file_of_a_signed_version_is_found(client: "S3Client", signed: str, key: SigningKey) -> None:
    content = client.get_object(Bucket=signed, Key="models/v1/model.tflite")["Body"].read()
    client.put_object(Bucket=signed, Key="models/v1/model.tflite", Body=content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(RegistryError, match=r"models/v1/model\.tflite is damaged"):
        verify_version(client, signed, "v1", key)


@pytest.mark.parametrize(
    ("spec", "usage"), [("RSA_2048", "SIGN_VERIFY"), ("ECC_NIST_P384", "SIGN_VERIFY"), ("RSA_2048", "ENCRYPT_DECRYPT")]
)
def test_a_key_of_the_wrong_kind_is_named_and_nothing_is_published(
    client: "S3Client", bucket: str, bundle: Path, make_key: MakeKey, spec: str, usage: str
) -> None:
    with pytest.raises(RegistryError, match="can't sign versions: it must be an asymmetric key to sign and verify"):
        publish_bundle(client, bucket, bundle, key=make_key(spec, usage))
    with pytest.raises(RegistryError, match="there is no version"):
        promote_version(client, bucket, bundle.name, DECISION)


def test_a_key_that_is_none_is_refused() -> None:
    for arn in ("1234abcd", "arn:aws:s3:::bucket", "arn:aws:kms:eu-west-1:1:key/x"):
        with pytest.raises(RegistryError, match="is not the ARN of a key of KMS"):
            connect_key(arn)


def test_without_the_right_to_sign_nothing_is_published(
    client: "S3Client", bucket: str, bundle: Path, key: SigningKey
) -> None:
    def refuse(**_: object) -> None:
        raise client.exceptions.ClientError({"Error": {"Code": "AccessDeniedException"}}, "Sign")

    kms = boto3.Session("local", "local", region_name=REGION).client("kms", endpoint_url=client.meta.endpoint_url)
    kms.meta.events.register("provide-client-params.kms.Sign", refuse)
    with pytest.raises(RegistryError, match="KMS does not let these credentials do that"):
        publish_bundle(client, bucket, bundle, key=SigningKey(key.arn, kms))
    with pytest.raises(RegistryError, match="there is no version"):
        promote_version(client, bucket, bundle.name, DECISION)


def test_the_commands_take_the_key_from_option_or_variable(
    run: Run, client: "S3Client", signed: str, key: SigningKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert_refused(run("verify", "v1"), "no signing key: pass --signing-key or set MODEL_SIGNING_KEY")
    done = run("verify", "v1", "--signing-key", key.arn)
    assert (done.exit_code, done.stdout) == (0, f"v1 is whole, and signed by {key.arn}\n")
    monkeypatch.setenv("MODEL_SIGNING_KEY", key.arn)
    for arguments in ((), ("--shadow",), ("--canary", "5%")):
        assert_refused(run("promote", "v2", *WHY, *arguments), "version v2 is not signed: it has no manifest.sig.json")
    assert_refused(run("verify", "v2"), "version v2 is not signed")
    assert run("history", "--verify").exit_code == 0
    [line] = read_table(run("history").stdout)
    assert line["who"] == DECISION.who
    change_manifest(client, signed, lambda: key)
    assert_refused(run("verify", "v1"), "version v1 is wrongly signed")

"""A certificate authority for tests, and server certificates that a client must accept or refuse."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme


@dataclass(frozen=True)
class Certificate:
    """PEM files of a server: its certificate chain and its private key."""

    chain_path: Path
    key_path: Path


@dataclass(frozen=True)
class Certificates:
    """Clients that trust `ca_path` (SSL_CERT_FILE names it to OpenSSL) accept `server` and none of the others."""

    ca_path: Path
    server: Certificate
    wrong_name: Certificate
    other_ca: Certificate
    expired: Certificate


def make_certificates(directory: Path) -> Certificates:
    """Make all of them for the name localhost and the address 127.0.0.1, except the one for a wrong name."""
    authority, other = trustme.CA(), trustme.CA()
    ca_path = directory / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_path))
    own_names = ("localhost", "127.0.0.1")
    now = datetime.now(UTC)
    expired = authority.issue_cert(*own_names, not_before=now - timedelta(days=30), not_after=now - timedelta(days=1))
    return Certificates(
        ca_path=ca_path,
        server=_write(directory, "server", authority.issue_cert(*own_names)),
        wrong_name=_write(directory, "wrong-name", authority.issue_cert("elsewhere.example")),
        other_ca=_write(directory, "other-ca", other.issue_cert(*own_names)),
        expired=_write(directory, "expired", expired),
    )


def _write(directory: Path, name: str, leaf: trustme.LeafCert) -> Certificate:
    certificate = Certificate(directory / f"{name}.pem", directory / f"{name}.key")
    for number, pem in enumerate(leaf.cert_chain_pems):
        pem.write_to_path(str(certificate.chain_path), append=number > 0)
    leaf.private_key_pem.write_to_path(str(certificate.key_path))
    return certificate

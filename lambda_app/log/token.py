"""The password that IAM makes for a connection: a signed request that nobody sends."""

from lambda_app.aws.signature import Identity, sign_query

# What RDS accepts; a token is needed only while connecting.
VALID_SECONDS = 900


def make_auth_token(identity: Identity, host: str, port: int, user: str) -> str:
    """A token for one connection as `user`, as boto3's generate_db_auth_token makes it."""
    query = sign_query(identity, "rds-db", f"{host}:{port}", {"Action": "connect", "DBUser": user}, VALID_SECONDS)
    return f"{host}:{port}/?{query}"

"""The IAM token that replaces a database password: a signed request that is never sent."""

from lambda_app.aws.signature import Identity, sign_query

# The limit of RDS; a token is needed only while connecting.
VALID_SECONDS = 900


def make_auth_token(identity: Identity, host: str, port: int, user: str) -> str:
    """Make a token for a connection as `user`, like boto3's generate_db_auth_token."""
    query = sign_query(identity, "rds-db", f"{host}:{port}", {"Action": "connect", "DBUser": user}, VALID_SECONDS)
    return f"{host}:{port}/?{query}"

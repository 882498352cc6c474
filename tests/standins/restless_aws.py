"""The local stack's server of S3 and SQS, whose threads interrupt each other far more often than usual.

Requests that break each other do so within a few hundred.
"""

import sys

from local.moto_server import serve

# Python's own is 5 ms, within which most requests are over.
SWITCH_SECONDS = 1e-6

if __name__ == "__main__":
    sys.setswitchinterval(SWITCH_SECONDS)
    serve(sys.argv[1], sys.argv[2])

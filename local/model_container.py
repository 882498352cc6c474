"""`python -m local.model_container`: serves the registry's current model, or the newest of the volume where none is."""

import os
import sys
from pathlib import Path

from local.seed import provide_model
from training.errors import TrainingError

MODELS = Path("build/models")


def main() -> int:
    """1, with one line, when it can't be trained or published."""
    try:
        version = provide_model(os.environ["AWS_ENDPOINT_URL"], os.environ["MODEL_BUCKET"], MODELS)
    except TrainingError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"The model {version} is published and served.", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

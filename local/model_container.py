"""`python -m local.model_container`: serves the registry's current model, or the newest of the volume without one."""

import os

from local.seed import provide_model
from training import MODELS
from training.errors import TrainingError
from training.options import make_app, report_errors

app = make_app()


@app.command()
def main() -> None:
    """Provide the registry with a current model."""
    with report_errors(TrainingError):
        version = provide_model(os.environ["AWS_ENDPOINT_URL"], os.environ["MODEL_BUCKET"], MODELS)
        print(f"The model {version} is published and served.", flush=True)


if __name__ == "__main__":
    app(prog_name="python -m local.model_container")

"""The command line: `python -m deploy all|image|plan|apply|migrate|model|smoke|call|doctor|destroy`."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import boto3
import typer
from botocore.exceptions import BotoCoreError

from deploy import terraform
from deploy.call import print_answer, read_event, send_event
from deploy.doctor import examine
from deploy.environment import Environment, open_environment
from deploy.errors import CallError, DeployError, NotAppliedError
from deploy.image import Images, find_images, push_images
from deploy.migrate import migrate as run_migrations
from deploy.model import provide_model
from deploy.smoke import SmokeTest
from training.aws_errors import describe_aws_error
from training.errors import TrainingError
from training.options import make_app, one_of, report_errors

app = make_app(
    "Bring an environment to AWS: all of it, or step by step.",
    "An environment's account and region are in its terraform.tfvars.json. The AWS credentials, for example "
    "those of AWS_PROFILE, must be of that account.",
)

Env = Annotated[
    str,
    typer.Option(
        parser=one_of("dev", "staging", "prod"),
        metavar="dev|staging|prod",
        help="The environment, as in terraform/environments.",
    ),
]
Yes = Annotated[bool, typer.Option("--yes", help="Don't ask, for machines.")]
Token = Annotated[
    str | None,
    typer.Option(
        envvar="API_TOKEN",
        metavar="JWT",
        help="The token for an API that takes no signatures.",
    ),
]


@app.command("all")
def all_steps(env: Env, yes: Yes = False, token: Token = None) -> None:
    """All steps in turn, up to the first that fails.

    They are image, plan, apply, migrate, model and smoke.
    """
    with _working_on(env) as environment:
        images = _push(environment)
        terraform.initialise(environment)
        if terraform.make_plan(environment, images):
            _apply(environment, yes)
        outputs = terraform.read_outputs(environment)
        _migrate(environment, outputs)
        _provide_model(environment, outputs)
        _smoke(environment, outputs, token)


@app.command()
def image(env: Env) -> None:
    """Build the images of this commit and push them to ECR."""
    with _working_on(env) as environment:
        _push(environment)


@app.command()
def plan(env: Env) -> None:
    """Show what Terraform would change, and keep that plan."""
    with _working_on(env) as environment:
        images = find_images(environment)
        terraform.initialise(environment)
        terraform.make_plan(environment, images)


@app.command()
def apply(env: Env, yes: Yes = False) -> None:
    """Do what the kept plan says."""
    with _working_on(env) as environment:
        terraform.initialise(environment)
        _apply(environment, yes)


@app.command()
def migrate(env: Env) -> None:
    """Bring the database's schema up to date."""
    with _working_on(env) as environment:
        _migrate(environment, _read_outputs(environment))


@app.command()
def model(env: Env) -> None:
    """Publish and promote a model, where none is served yet."""
    with _working_on(env) as environment:
        _provide_model(environment, _read_outputs(environment))


@app.command()
def smoke(env: Env, token: Token = None) -> None:
    """Ask for a prediction, and read its record back."""
    with _working_on(env) as environment:
        _smoke(environment, _read_outputs(environment), token)


@app.command()
def call(
    url: Annotated[
        str,
        typer.Option(
            metavar="URL", help="The API, as `terraform output api_url` shows it: https, or on this machine also http."
        ),
    ],
    event: Annotated[Path, typer.Option(metavar="FILE", help="The event, such as events/predict.json.")],
    region: Annotated[
        str | None, typer.Option(metavar="REGION", help="The API's region, where its name does not say it.")
    ] = None,
    token: Token = None,
) -> None:
    """Send a sample event to an API as a signed request.

    It is signed with your AWS credentials, for example those of AWS_PROFILE. The exit code is 1 if the response is an
    error.
    """
    with report_errors(CallError):
        try:
            answer = send_event(url, read_event(event), boto3.Session(), region, token)
        except BotoCoreError as error:
            raise CallError(describe_aws_error(error, "AWS")) from error
        print_answer(answer)
    if answer.status >= 400:
        raise typer.Exit(1)


@app.command()
def doctor(env: Env, token: Token = None) -> None:
    """Check this machine, the account and, once it is applied, the environment.

    Each line is ok, or says what to do. The exit code is 1 if there is anything to do.
    """
    with _working_on(env) as environment:
        findings = []
        for finding in examine(environment, _find_api, token):
            _say(str(finding))
            findings.append(finding)
    if any(finding.advice for finding in findings):
        raise typer.Exit(1)


@app.command()
def destroy(env: Env, yes: Yes = False) -> None:
    """Remove an unprotected environment and its records."""
    with _working_on(env) as environment:
        terraform.initialise(environment)
        path = terraform.plan_destruction(environment)
        if path is None:
            _say(f"There is nothing of {env}")
            return
        _ask(f"Destroy {env} with its database, its models and its records?", env, yes)
        terraform.apply_plan(environment, path)
        _say(f"{env} is gone; images and states stay")


def _push(environment: Environment) -> Images:
    images = push_images(environment)
    for kind, uri in images._asdict().items():
        _say(f"Image {kind} {uri}")
    return images


def _apply(environment: Environment, yes: bool) -> None:
    path = terraform.find_plan(environment)
    _ask(f"Apply the plan to {environment.name}?", "yes", yes)
    terraform.apply_plan(environment, path)


def _find_api(environment: Environment) -> str | None:
    """Return the URL of the API, or None before there is one."""
    try:
        return _read_outputs(environment).api_url
    except NotAppliedError:
        return None


def _read_outputs(environment: Environment) -> terraform.Outputs:
    terraform.initialise(environment)
    return terraform.read_outputs(environment)


def _migrate(environment: Environment, outputs: terraform.Outputs) -> None:
    applied = run_migrations(environment, outputs.migrate_function_name)
    _say(f"Migrated: {', '.join(applied)}" if applied else "The schema is up to date")


def _provide_model(environment: Environment, outputs: terraform.Outputs) -> None:
    version, steps = provide_model(environment, outputs.model_bucket_name)
    _say(f"{' and '.join(steps).capitalize()} model {version}" if steps else f"Model {version} is current, and stays")


def _smoke(environment: Environment, outputs: terraform.Outputs, token: str | None) -> None:
    request_id = SmokeTest(environment, outputs.api_url, token).run()
    _say(f"{outputs.api_url} works: prediction {request_id} was given, recorded and read back")


def _ask(question: str, consent: str, granted: bool) -> None:
    """Go on only when the consent was typed in."""
    if granted:
        return
    if not sys.stdin.isatty():
        raise DeployError("nobody is here to be asked: pass --yes (make: YES=1)")
    if typer.prompt(f"{question} Only {consent!r} means yes", default="", show_default=False) != consent:
        raise DeployError("not confirmed, so nothing was done")


def _say(text: str) -> None:
    print(text, flush=True)


@contextmanager
def _working_on(name: str) -> Iterator[Environment]:
    """Yield the environment; what a person can mend is one line on stderr and exit code 1."""
    try:
        with report_errors(DeployError, TrainingError):
            yield open_environment(name)
    except (KeyboardInterrupt, typer.Abort) as error:
        typer.echo("Stopped. What was done is kept; to go on, run the same again", err=True)
        raise typer.Exit(130) from error


if __name__ == "__main__":
    app(prog_name="python -m deploy")

"""Terraform, run on an environment's root: plan, apply that plan, read the outputs, destroy."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.environment import Environment
from deploy.errors import DeployError, NotAppliedError, explain_failures
from deploy.image import Images
from deploy.process import run_program
from deploy.quota import check_concurrency

PLANS = Path("build/deploy")
# Exit code of `plan -detailed-exitcode` when there is something to do.
CHANGES = 2
# Nothing is made from them, but the variables must have values.
NO_IMAGES = Images(*[f"destroyed@sha256:{'0' * 64}"] * 2)


@dataclass(frozen=True)
class Outputs:
    """The outputs of an applied environment that the next steps need."""

    api_url: str
    model_bucket_name: str
    migrate_function_name: str


def initialise(environment: Environment) -> None:
    """Fetch provider and modules, and open the state; DeployError when its bucket is not there."""
    bucket = environment.state_bucket_name
    with explain_failures(
        "S3",
        NoSuchBucket=f"there is no bucket {bucket} for the states: apply terraform/bootstrap to this account first",
        AccessDenied=f"S3 lets this caller not look into the bucket of the states, {bucket}: see terraform/bootstrap",
    ):
        # What a deployment's role may do. The owner is named, since anybody may have made a bucket of this name.
        environment.session.client("s3").list_objects_v2(
            Bucket=bucket, Prefix=environment.state_key, ExpectedBucketOwner=environment.account_id
        )
    # Never asks whether a state shall move: one that was opened here before may be another account's.
    backend = (f"-backend-config=bucket={bucket}", f"-backend-config=region={environment.region}", "-reconfigure")
    code, output = _run(environment, "init", "-input=false", *backend, capture=True)
    if code != 0:
        print(output, flush=True)
        raise DeployError("`terraform init` failed: its reason stands above")


def make_plan(environment: Environment, images: Images) -> bool:
    """Show what would change, and keep it for `apply_plan`; False when nothing would.

    DeployError when the account's quota is too small for it: Terraform would find that out half-way.
    """
    path = _name_plan(environment)
    if not _plan(environment, path, *_list_inputs(images)):
        return False
    try:
        check_concurrency(environment, _read_changes(environment, path))
    except DeployError:
        path.unlink()
        raise
    return True


def find_plan(environment: Environment) -> Path:
    """The plan that was kept; DeployError when there is none."""
    path = _name_plan(environment)
    if not path.exists():
        raise DeployError(f"nothing is planned: run `python -m deploy plan --env {environment.name}` first")
    return path


def apply_plan(environment: Environment, path: Path) -> None:
    """Do what the plan says, once; DeployError when that fails, or when the state is another one since."""
    try:
        code, _ = _run(environment, "apply", "-input=false", str(path))
    finally:
        # Whether it went through or not, the plan is of a state that is past.
        path.unlink()
    if code != 0:
        raise DeployError(
            "`terraform apply` failed: its reason stands above. What was made is in the state; once the reason is "
            "gone, plan and apply again"
        )


def read_outputs(environment: Environment) -> Outputs:
    """NotAppliedError when the environment was not applied; DeployError when Terraform fails."""
    code, output = _run(environment, "output", "-json", capture=True)
    if code != 0:
        raise DeployError("`terraform output` failed: its reason stands above")
    values = {name: entry["value"] for name, entry in json.loads(output).items()}
    try:
        return Outputs(values["api_url"], values["model_bucket_name"], values["function_names"]["migrate"])
    except KeyError as error:
        name = environment.name
        raise NotAppliedError(
            f"{name} is not there, or not whole: run `python -m deploy plan --env {name}`, then `apply`"
        ) from error


def plan_destruction(environment: Environment) -> Path | None:
    """Show what would be destroyed, and return the plan of it; None when nothing would.

    DeployError when something is protected. Terraform would find that out last, with the rest of it gone.
    """
    path = PLANS.absolute() / f"{environment.name}.destroy.tfplan"
    if not _plan(environment, path, "-destroy", *_list_inputs(NO_IMAGES)):
        return None
    changes = _read_changes(environment, path)
    if protections := [told for change in changes for told in _list_protections(change)]:
        path.unlink()
        raise DeployError(
            f"nothing was destroyed, because {environment.name} is protected: {'; '.join(protections)}. Turn that "
            f"off in {environment.root}/main.tf, deploy, and then destroy"
        )
    return path


def _list_inputs(images: Images) -> tuple[str, ...]:
    return f"-var=image_uri={images.serve}", f"-var=analyse_image_uri={images.analyse}"


def _read_changes(environment: Environment, path: Path) -> list[dict[str, Any]]:
    code, output = _run(environment, "show", "-json", str(path), capture=True)
    if code != 0:
        raise DeployError("`terraform show` failed: its reason stands above")
    changes: list[dict[str, Any]] = json.loads(output)["resource_changes"]
    return changes


def _list_protections(change: dict[str, Any]) -> list[str]:
    if "delete" not in change["change"]["actions"]:
        return []
    before = change["change"]["before"]
    told = {
        "deletion_protection": (True, "has deletion_protection"),
        "force_destroy": (False, "has no force_destroy, and may hold models or records"),
    }
    return [f"{change['address']} {text}" for name, (value, text) in told.items() if before.get(name) is value]


def _name_plan(environment: Environment) -> Path:
    return PLANS.absolute() / f"{environment.name}.tfplan"


def _plan(environment: Environment, path: Path, *arguments: str) -> bool:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    code, _ = _run(environment, "plan", "-input=false", "-detailed-exitcode", f"-out={path}", *arguments)
    if code not in {0, CHANGES}:
        path.unlink(missing_ok=True)
        raise DeployError("`terraform plan` failed: its reason stands above")
    return code == CHANGES


def _run(environment: Environment, command: str, *arguments: str, capture: bool = False) -> tuple[int, str]:
    # Terraform then leaves out which command to type next.
    settings = {"TF_IN_AUTOMATION": "1"}
    colour = () if sys.stdout.isatty() and not capture else ("-no-color",)
    words = ("terraform", f"-chdir={environment.root}", command, *colour, *arguments)
    return run_program(*words, capture=capture, environment=settings)

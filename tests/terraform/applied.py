"""An environment that Terraform has made in the emulated AWS."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import boto3

from lambda_app.project import PREFIX
from local.aws_services import ACCOUNT, REGION
from tests.terraform.program import Root

# As terraform/bootstrap calls it.
STATE_BUCKET = f"{PREFIX}-states-{ACCOUNT}"
INPUTS = {
    "account_id": ACCOUNT,
    "region": REGION,
    # Never pulled. The tests run the code of the repository instead.
    "image_uri": f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{PREFIX}@sha256:{'0' * 64}",
    "analyse_image_uri": f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{PREFIX}@sha256:{'1' * 64}",
}


@dataclass(frozen=True)
class Applied:
    """The environment dev, as Terraform has made it."""

    root: Root
    endpoint_url: str
    # As `terraform show -json` prints them.
    plan_text: str
    state_text: str
    second_plan_text: str
    # How many resources were added, changed and removed.
    changes: Mapping[str, int]

    @cached_property
    def plan(self) -> dict[str, Any]:
        return _read(self.plan_text)

    @cached_property
    def state(self) -> dict[str, Any]:
        return _read(self.state_text)

    @cached_property
    def second_plan(self) -> dict[str, Any]:
        return _read(self.second_plan_text)

    @cached_property
    def outputs(self) -> dict[str, Any]:
        return {name: output["value"] for name, output in self.state["values"]["outputs"].items()}

    def client(self, service: str) -> Any:
        return connect(self.endpoint_url, service)


def _read(text: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(text)
    return document


def connect(endpoint_url: str, service: str) -> Any:
    """Connect to the emulated AWS."""
    return boto3.client(
        service,  # type: ignore[call-overload]
        endpoint_url=endpoint_url,
        region_name=REGION,
        aws_access_key_id="local",
        aws_secret_access_key="local",
    )


def plan_environment(root: Root) -> str:
    """Init with the bucket that bootstrap made, and plan into first.tfplan; return the plan as JSON."""
    backend = (f"-backend-config=bucket={STATE_BUCKET}", f"-backend-config=region={REGION}")
    root.run("init", "-input=false", "-no-color", *backend)
    return _plan(root, "first.tfplan")


def apply_environment(root: Root, endpoint_url: str, plan_text: str) -> Applied:
    """Apply first.tfplan, whose JSON `plan_text` is, and plan again."""
    changes = root.change("apply", "first.tfplan")
    state_text = root.run("show", "-json").stdout
    return Applied(root, endpoint_url, plan_text, state_text, _plan(root, "second.tfplan"), changes)


def _plan(root: Root, file: str) -> str:
    root.run("plan", "-input=false", "-no-color", f"-out={file}", *list_inputs())
    return root.run("show", "-json", file).stdout


def list_inputs() -> list[str]:
    return [f"-var={name}={value}" for name, value in INPUTS.items()]


def list_resources(values: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return each managed resource's values by address, from `values` of a state or `planned_values` of a plan."""
    modules = [values["root_module"]]
    # Grows while it is walked.
    for module in modules:
        modules.extend(module.get("child_modules", []))
    return {
        # Without values where none is known yet.
        resource["address"]: resource.get("values", {})
        for module in modules
        for resource in module.get("resources", [])
        if resource["mode"] == "managed"
    }

"""Compares the concurrency that a plan reserves with the account's quota. Terraform would notice half-way."""

from collections.abc import Mapping, Sequence
from typing import Any

from deploy.environment import Environment
from deploy.errors import DeployError, explain_failures

# Lambda keeps so many executions for functions without a reservation.
UNRESERVED = 100
# The quota "Concurrent executions" in Service Quotas.
QUOTA_CODE = "L-B99A9384"


def check_concurrency(environment: Environment, changes: Sequence[Mapping[str, Any]]) -> None:
    """Raise DeployError if the account's quota is too small for the resource changes of a plan."""
    reserved_before, _ = _add_up(change["change"]["before"] for change in changes)
    reserved, provisioned = _add_up(change["change"]["after"] for change in changes)
    if not reserved and not provisioned:
        return
    with explain_failures("Lambda"):
        limits = environment.session.client("lambda").get_account_settings()["AccountLimit"]
    # Other functions of the account have reservations too.
    others = limits["ConcurrentExecutions"] - limits["UnreservedConcurrentExecutions"] - reserved_before
    # Provisioned executions of a function with a reservation are part of it.
    needed = others + (reserved or provisioned) + UNRESERVED
    if needed > limits["ConcurrentExecutions"]:
        raise DeployError(
            f"{environment.name} needs a quota of {needed} concurrent executions, and the account has "
            f"{limits['ConcurrentExecutions']}: {reserved or provisioned} for {environment.name}, {others} reserved by "
            f"others, {UNRESERVED} that must stay unreserved. Request it: `aws service-quotas "
            f"request-service-quota-increase --service-code lambda --quota-code {QUOTA_CODE} --desired-value {needed} "
            f"--region {environment.region}`. Or leave out api_reserved_concurrency and provisioned_concurrency in "
            f"{environment.root}/main.tf"
        )


def _add_up(states: Any) -> tuple[int, int]:
    """The reserved and the provisioned executions of resources, as a plan shows them."""
    known = [state for state in states if state]
    # -1 stands for no reservation.
    reserved = sum(max(state.get("reserved_concurrent_executions") or 0, 0) for state in known)
    return reserved, sum(state.get("provisioned_concurrent_executions") or 0 for state in known)

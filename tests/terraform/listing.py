"""The lists of AWS in which parts of the environment dev are named."""

import json
import re

from lambda_app.project import PREFIX
from tests.terraform.applied import Applied

# The calls of each service that list the parts of an environment.
LISTS = {
    "athena": ["list_work_groups"],
    "apigatewayv2": ["get_apis"],
    "cloudwatch": ["describe_alarms", "list_dashboards"],
    "ec2": [
        "describe_route_tables",
        "describe_security_groups",
        "describe_subnets",
        "describe_vpc_endpoints",
        "describe_vpcs",
    ],
    "glue": ["get_databases"],
    "iam": ["list_roles"],
    "lambda": ["list_functions", "list_event_source_mappings"],
    "logs": ["describe_log_groups"],
    "rds": [
        "describe_db_instances",
        "describe_db_parameter_groups",
        "describe_db_proxies",
        "describe_db_subnet_groups",
    ],
    "s3": ["list_buckets"],
    "scheduler": ["list_schedules"],
    "secretsmanager": ["list_secrets"],
    "sns": ["list_topics", "list_subscriptions"],
    "sqs": ["list_queues"],
}
# The role for deployments outlives the environment.
OURS = re.compile(rf"(?<!deploy-){PREFIX}[-_]dev\b")


def find_listed(applied: Applied) -> set[str]:
    """Return the lists that name a part of the environment."""
    return {
        f"{service}.{name}"
        for service, names in LISTS.items()
        for name in names
        for things in getattr(applied.client(service), name)().values()
        if isinstance(things, list)
        and OURS.search(json.dumps([thing for thing in things if not _is_deleted(thing)], default=str))
    }


def _is_deleted(thing: object) -> bool:
    """Tell whether this is a deleted VPC endpoint, which stays listed."""
    return isinstance(thing, dict) and thing.get("State") == "deleted"

"""The AWS to which Terraform is applied: moto's server, with attributes that moto forgets.

Each change below gives back what was sent, as AWS does; without it a second plan would want to send it again, or a
resource would be waited for in vain. After an upgrade of moto, try the tests without each change.
"""

import contextlib
import json
import sys
import threading
from typing import Any

import flask
from moto.awslambda.models import EventSourceMapping, LambdaBackend, LambdaFunction
from moto.ec2.models.security_groups import SecurityGroupRule
from moto.iam.access_control import IAMPolicyStatement, PermissionResult
from moto.moto_server.werkzeug_app import DomainDispatcherApplication
from moto.rds.models import DBInstance, DBParameterGroup
from moto.rds.responses import RDSResponse
from moto.sqs.models import Queue

from local.moto_server import serve


def replace(changed: type, **attributes: object) -> None:
    for name, value in attributes.items():
        setattr(changed, name, value)


def remember_rule_descriptions() -> None:
    """Keep a rule's description about a group or a prefix list. moto keeps only those about addresses."""
    make = SecurityGroupRule.__init__

    def make_described(self: Any, *args: Any, **kwargs: Any) -> None:
        make(self, *args, **kwargs)
        parts = [part for part in (*args, *kwargs.values()) if isinstance(part, dict)]
        self.text = next((part["Description"] for part in parts if "Description" in part), None)

    replace(SecurityGroupRule, __init__=make_described, description=property(lambda self: self.text))


# What postgres17 has without a parameter group: PostgreSQL's defaults, and RDS's own.
PARAMETER_DEFAULTS = {
    "log_connections": ("0", "engine-default"),
    "log_disconnections": ("0", "engine-default"),
    "log_error_verbosity": ("default", "engine-default"),
    "log_lock_waits": ("0", "engine-default"),
    "log_min_duration_statement": ("-1", "engine-default"),
    "log_min_error_statement": ("error", "engine-default"),
    "log_parameter_max_length": ("-1", "engine-default"),
    "log_parameter_max_length_on_error": ("0", "engine-default"),
    "log_statement": ("none", "engine-default"),
    "password_encryption": ("scram-sha-256", "system"),
    "pg_stat_statements.track_utility": ("1", "engine-default"),
    "rds.force_ssl": ("1", "system"),
}


def tell_defaults_from_changed_parameters() -> None:
    """Report a parameter as RDS does: one that equals the family's default is not the user's, and pending-reboot.

    moto reports what was sent, without a source, and ignores the filter by source.
    """
    update, describe = DBParameterGroup.update_parameters, RDSResponse.describe_db_parameters

    def update_with_source(self: Any, parameters: Any) -> None:
        for parameter in parameters:
            value, source = PARAMETER_DEFAULTS[parameter["ParameterName"]]
            of_default = {"Source": source, "ApplyMethod": "pending-reboot"}
            update(self, [parameter | (of_default if parameter["ParameterValue"] == value else {"Source": "user"})])

    def describe_by_source(self: Any) -> Any:
        answer: Any = describe(self)
        if source := self.params.get("Source"):
            found = answer.result["Parameters"]
            answer.result["Parameters"] = [parameter for parameter in found if parameter["Source"] == source]
        return answer

    replace(DBParameterGroup, update_parameters=update_with_source)
    replace(RDSResponse, describe_db_parameters=describe_by_source)


def remember_performance_insights() -> None:
    """Keep the instance's setting; and give an instance without a certificate authority the default of AWS."""
    make = DBInstance.__init__

    def make_with_insights(self: Any, *args: Any, **kwargs: Any) -> None:
        make(self, *args, **{"ca_certificate_identifier": "rds-ca-rsa2048-g1", **kwargs})
        self.performance_insights_enabled = kwargs.get("enable_performance_insights", False)

    replace(DBInstance, __init__=make_with_insights)


def remember_logging_config() -> None:
    """Keep the log group of a function."""
    make, configure = LambdaFunction.__init__, LambdaFunction.get_configuration

    def make_with_logging(self: Any, account_id: str, spec: dict[str, Any], *args: Any, **kwargs: Any) -> None:
        make(self, account_id, spec, *args, **kwargs)
        self.logging_config = spec.get("LoggingConfig")

    def configure_with_logging(self: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
        return {**configure(self, *args, **kwargs), "LoggingConfig": self.logging_config}

    replace(LambdaFunction, __init__=make_with_logging, get_configuration=configure_with_logging)


def keep_aliases_of_event_sources() -> None:
    """Keep a mapping to an alias. moto replaces the alias by its present version."""
    make = EventSourceMapping.__init__

    def make_as_asked(self: Any, spec: dict[str, Any]) -> None:
        asked = spec["FunctionName"]
        make(self, {**spec, "FunctionArn": asked} if asked.startswith("arn:") else spec)

    replace(EventSourceMapping, __init__=make_as_asked)


def remember_queue_policies() -> None:
    """Keep a queue's redrive allow policy, and its policy when another attribute is set."""
    set_some, read_some = Queue._set_attributes, vars(Queue)["attributes"].fget

    def set_attributes(self: Any, attributes: dict[str, Any], now: Any = None) -> None:
        kept = {"Policy": self.policy} if getattr(self, "policy", None) and "Policy" not in attributes else {}
        set_some(self, {**attributes, **kept}, now)

    def read_attributes(self: Any) -> dict[str, Any]:
        attributes: dict[str, Any] = read_some(self)
        # As it was sent, without a space.
        if attributes["RedrivePolicy"]:
            redrive = json.loads(attributes["RedrivePolicy"])
            attributes["RedrivePolicy"] = json.dumps(redrive, separators=(",", ":"))
        # Who sets one to nothing has removed it.
        return {name: value for name, value in attributes.items() if value != ""}

    names = [*Queue.BASE_ATTRIBUTES, "RedriveAllowPolicy"]
    replace(Queue, BASE_ATTRIBUTES=names, redrive_allow_policy=None)
    replace(Queue, _set_attributes=set_attributes, attributes=property(read_attributes))


def know_conditions() -> None:
    """Take each connection for TLS, and look for If-None-Match. moto knows neither condition, and would deny."""
    decide = IAMPolicyStatement.is_action_permitted

    def decide_over_tls(self: Any, *args: Any, **kwargs: Any) -> PermissionResult:
        if self._statement.get("Condition") == {"Bool": {"aws:SecureTransport": "false"}}:
            return PermissionResult.NEUTRAL
        is_conditional = flask.has_request_context() and "If-None-Match" in flask.request.headers
        if is_conditional and self._statement.get("Condition") == {"Null": {"s3:if-none-match": "true"}}:
            return PermissionResult.NEUTRAL
        return decide(self, *args, **kwargs)

    replace(IAMPolicyStatement, is_action_permitted=decide_over_tls)


def serve_ec2_in_turn() -> None:
    """Serve one request to EC2 at a time. Terraform sends ten at once, and moto has lost rules over it."""
    serve, turn = DomainDispatcherApplication.__call__, threading.Lock()

    def serve_in_turn(self: Any, environ: dict[str, Any], start_response: Any) -> Any:
        concerns_ec2 = "/ec2/aws4_request" in environ.get("HTTP_AUTHORIZATION", "")
        with turn if concerns_ec2 else contextlib.nullcontext():
            return serve(self, environ, start_response)

    replace(DomainDispatcherApplication, __call__=serve_in_turn)


def leave_messages_in_queues() -> None:
    """Invoke no function for a message: moto needs Docker for it, and the tests run the functions themselves."""
    replace(LambdaBackend, send_sqs_batch=lambda *_: False)


CHANGES = (
    remember_rule_descriptions,
    tell_defaults_from_changed_parameters,
    remember_performance_insights,
    remember_logging_config,
    keep_aliases_of_event_sources,
    remember_queue_policies,
    know_conditions,
    serve_ec2_in_turn,
    leave_messages_in_queues,
)


if __name__ == "__main__":
    for change in CHANGES:
        change()
    serve(sys.argv[1], sys.argv[2])

"""The other parts of the API description: tags, servers, security, parameters."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Annotated, Any

from fastapi import FastAPI, Header, Path, Request, Response
from fastapi.responses import JSONResponse
from pydantic import WithJsonSchema

from lambda_app.http.caller import KEY_PATTERN
from lambda_app.http.problems import MEDIA_TYPE
from lambda_app.http.schemas import EXAMPLE_ANSWER, EXAMPLE_HEALTH, EXAMPLE_MODEL_FAILURE

PREDICTION, OUTCOME, EXPLANATION, OPERATIONS = "prediction", "outcome", "explanation", "operations"
TAGS = [
    {"name": PREDICTION, "description": "Predictions to rely on: their records are durable before the response."},
    {"name": OUTCOME, "description": "What really happened after predictions, durable before the response as well."},
    {"name": EXPLANATION, "description": "The current model, and explanations of predictions. Nothing is recorded."},
    {"name": OPERATIONS, "description": "Health and metrics of the service."},
]

SERVERS = [{"url": "/", "description": "The host of this document"}]

# Depends on the authorizer of API Gateway, which applies to every route. On one machine there is none.
_SECURITY_SCHEMES = {
    "iam": {
        "type": "apiKey",
        "name": "Authorization",
        "in": "header",
        "description": "Where the API's authorization is IAM: AWS Signature Version 4 for the service execute-api, by "
        "an identity that may execute-api:Invoke. A browser cannot sign; `python -m deploy call` can.",
        "x-amazon-apigateway-authtype": "awsSigv4",
    },
    "jwt": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "Where the API was given an issuer of tokens: one of its tokens for the API's audience.",
    },
}

# The gateway sends these responses itself, without problem details.
_GATEWAY_REFUSALS = {
    401: ("The token is missing, expired or from another issuer", "Unauthorized"),
    403: ("The signature is missing or wrong, or its identity may not call this API", "Forbidden"),
    429: ("The API's throttle was exceeded", "Too Many Requests"),
}

# FastAPI drops null values from examples, but responses contain them.
_HEALTH_EXAMPLES = {
    "200": EXAMPLE_HEALTH,
    "503": {
        **{**EXAMPLE_HEALTH, "status": "unavailable", "model_loaded": False, "scaler_loaded": False},
        **{"model_version": None, "model_error": EXAMPLE_MODEL_FAILURE},
    },
}

# A list, to notice two keys. The default is None, because Pydantic would inspect a default_factory in each request,
# which takes 7 % of it. It has no example, because /docs would send the same key with every request.
IdempotencyKeys = Annotated[
    list[str] | None,
    Header(
        alias="Idempotency-Key",
        description="Makes a request safe to repeat: the second request gets the stored answer. "
        'Any string that is new to the service, such as "visit-4711". A key expires after 30 days, unless the service '
        "is set up otherwise",
    ),
    WithJsonSchema({"type": "string", "pattern": KEY_PATTERN}),
]
RecordId = Annotated[
    str,
    Path(
        description="The request_id of a prediction",
        examples=[EXAMPLE_ANSWER["request_id"]],
        json_schema_extra={"format": "uuid"},
    ),
]


def add_description(app: FastAPI) -> None:
    """Give the application /openapi.json."""

    async def describe(request: Request) -> Response:
        if app.openapi_schema is None:
            _complete_schema(app.openapi())
        return JSONResponse(_secure_schema(app.openapi(), request.scope.get("aws.event", {})))

    app.add_route("/openapi.json", describe, include_in_schema=False)


def _secure_schema(schema: Mapping[str, Any], event: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the schema with the gateway's authorization of this request, which applies to every route."""
    authorizer = event.get("requestContext", {}).get("authorizer")
    asked = authorizer if isinstance(authorizer, dict) else {}
    schemes = {name: scheme for name, scheme in _SECURITY_SCHEMES.items() if name in asked}
    if not schemes:
        return schema
    components = {**schema["components"], "securitySchemes": schemes}
    return {**schema, "components": components, "security": [{name: []} for name in schemes]}


def _complete_schema(schema: dict[str, Any]) -> None:
    """Add the media type of problems and the gateway's responses, because FastAPI has no setting for them."""
    for path in schema["paths"].values():
        for operation in path.values():
            responses = operation["responses"]
            for response in responses.values():
                _label_problem(response.get("content", {}))
            # FastAPI adds a 422 for every parameter; none of these routes returns it.
            if "HTTPValidationError" in str(responses.get("422")):
                del responses["422"]
            for status, (description, message) in _GATEWAY_REFUSALS.items():
                _add_gateway_refusal(responses.setdefault(str(status), {}), description, message)
    health = schema["paths"]["/health"]["get"]["responses"]
    for name, example in _HEALTH_EXAMPLES.items():
        health[name]["content"]["application/json"]["example"] = example
    for path in schema["paths"].values():
        if "get" in path:
            path["head"] = _describe_head(path["get"])
    for name in ("HTTPValidationError", "ValidationError"):
        schema["components"]["schemas"].pop(name, None)


def _label_problem(content: dict[str, Any]) -> None:
    """Change the media type of problems, because FastAPI uses application/json for every model."""
    if content.get("application/json", {}).get("schema", {}).get("$ref", "").endswith("/ProblemResponse"):
        content[MEDIA_TYPE] |= content.pop("application/json")


def _describe_head(get: dict[str, Any]) -> dict[str, Any]:
    head = deepcopy(get)
    head |= {"operationId": f"{get['operationId']}_head", "description": "As GET, without a body."}
    for response in head["responses"].values():
        response.pop("content", None)
    return head


def _add_gateway_refusal(response: dict[str, Any], description: str, message: str) -> None:
    schema = {"type": "object", "properties": {"message": {"type": "string"}}, "required": ["message"]}
    told = f"API Gateway: {description[0].lower()}{description[1:]}"
    # The service may have a response with the same status.
    response["description"] = f"{response['description']}. {told}" if response else told
    content = response.setdefault("content", {})
    content["application/json"] = {"schema": schema, "example": {"message": message}}

mock_provider "aws" {
  source = "./tests/mocks"
}

run "queues" {
  assert {
    condition     = aws_sqs_queue.records.sqs_managed_sse_enabled && aws_sqs_queue.dead_letters.sqs_managed_sse_enabled
    error_message = "Messages are health data: both queues must be encrypted."
  }

  assert {
    condition     = aws_sqs_queue.records.visibility_timeout_seconds == 360 && aws_sqs_queue.records.message_retention_seconds == 1209600 && aws_sqs_queue.dead_letters.message_retention_seconds == 1209600
    error_message = "Visibility must be six times replay's timeout, and messages must be kept for 14 days."
  }

  assert {
    condition     = jsondecode(aws_sqs_queue.records.redrive_policy) == { deadLetterTargetArn = aws_sqs_queue.dead_letters.arn, maxReceiveCount = 1000 }
    error_message = "A message must move to the dead-letter queue after 1000 receives."
  }

  assert {
    condition     = jsondecode(aws_sqs_queue_redrive_allow_policy.dead_letters.redrive_allow_policy) == { redrivePermission = "byQueue", sourceQueueArns = [aws_sqs_queue.records.arn] } && aws_sqs_queue_redrive_allow_policy.dead_letters.queue_url == aws_sqs_queue.dead_letters.id
    error_message = "Only the queue of records may use the dead-letter queue."
  }

  assert {
    condition     = { for key, policy in aws_sqs_queue_policy.tls_only : key => [for statement in jsondecode(policy.policy).Statement : [statement.Effect, statement.Principal, statement.Action, statement.Resource, statement.Condition]] } == { for key, queue in { records = aws_sqs_queue.records, dead_letters = aws_sqs_queue.dead_letters } : key => [["Deny", "*", "sqs:*", queue.arn, { Bool = { "aws:SecureTransport" = "false" } }]] }
    error_message = "The policies of both queues must refuse requests without TLS, and allow nothing."
  }

  assert {
    condition     = aws_lambda_event_source_mapping.replay.event_source_arn == aws_sqs_queue.records.arn && aws_lambda_event_source_mapping.replay.function_name == aws_lambda_alias.live["replay"].arn && aws_lambda_event_source_mapping.replay.batch_size == 10 && aws_lambda_event_source_mapping.replay.function_response_types == toset(["ReportBatchItemFailures"]) && aws_lambda_event_source_mapping.replay.scaling_config[0].maximum_concurrency == 2
    error_message = "The alias live of replay must get batches of ten, two at once, and report failures for each message."
  }

  assert {
    condition     = aws_apigatewayv2_route.default.route_key == "$default" && aws_apigatewayv2_route.default.authorization_type == "AWS_IAM" && aws_apigatewayv2_route.default.authorizer_id == null && length(aws_apigatewayv2_authorizer.jwt) == 0
    error_message = "Without jwt, callers must sign with IAM."
  }

  assert {
    condition     = aws_apigatewayv2_route.outcomes.route_key == "POST /outcomes" && aws_apigatewayv2_route.outcomes.target == aws_apigatewayv2_route.default.target && aws_apigatewayv2_route.outcomes.authorization_type == "AWS_IAM" && aws_apigatewayv2_route.outcomes.authorizer_id == null && aws_apigatewayv2_route.outcomes.authorization_scopes == null
    error_message = "Outcomes must have a route of their own, with IAM and without scopes."
  }

  assert {
    condition     = aws_apigatewayv2_integration.this.integration_uri == aws_lambda_alias.live["api"].invoke_arn && aws_apigatewayv2_integration.this.payload_format_version == "2.0" && aws_apigatewayv2_integration.this.timeout_milliseconds == 30000
    error_message = "The API must invoke the alias live with payload format 2.0, and wait longer than the function's timeout."
  }

  assert {
    condition     = { for id, permission in aws_lambda_permission.api : id => [permission.statement_id, permission.qualifier, permission.principal, permission.source_arn] } == { for id, route in { api = "$default", outcomes = "POST/outcomes" } : id => [id, "live", "apigateway.amazonaws.com", "arn:aws:execute-api:eu-west-1:123456789012:api1/*/${route}"] }
    error_message = "Only this API may invoke the live alias, by its two routes."
  }

  assert {
    condition     = aws_apigatewayv2_stage.default.default_route_settings[0].throttling_rate_limit == 50 && aws_apigatewayv2_stage.default.default_route_settings[0].throttling_burst_limit == 100
    error_message = "The stage must have the given throttle."
  }

  assert {
    condition     = toset(values(jsondecode(aws_apigatewayv2_stage.default.access_log_settings[0].format))) == toset(["$context.requestId", "$context.requestTime", "$context.identity.sourceIp", "$context.identity.userArn", "$context.httpMethod", "$context.path", "$context.status", "$context.responseLength", "$context.responseLatency", "$context.integrationLatency", "$context.integrationStatus", "$context.integrationErrorMessage", "$context.error.message", "$context.authorizer.error"]) && aws_apigatewayv2_stage.default.access_log_settings[0].destination_arn == aws_cloudwatch_log_group.access.arn
    error_message = "The access log must have exactly these fields."
  }

  assert {
    condition     = !aws_apigatewayv2_api.this.disable_execute_api_endpoint && output.api_url == "https://api1.execute-api.eu-west-1.amazonaws.com" && output.custom_domain_target == null
    error_message = "Without a custom domain, the API must use API Gateway's host name."
  }
}

run "jwt_callers_and_custom_domain" {
  variables {
    custom_domain = { domain_name = "api.example.org", certificate_arn = "arn:aws:acm:eu-west-1:123456789012:certificate/1" }
    jwt           = { issuer = "https://issuer.example", audience = ["sample"] }
  }

  assert {
    condition     = aws_apigatewayv2_route.default.authorization_type == "JWT" && aws_apigatewayv2_route.default.authorizer_id == aws_apigatewayv2_authorizer.jwt[0].id
    error_message = "The route must use the authorizer."
  }

  assert {
    condition     = aws_apigatewayv2_route.outcomes.authorization_type == "JWT" && aws_apigatewayv2_route.outcomes.authorizer_id == aws_apigatewayv2_authorizer.jwt[0].id && aws_apigatewayv2_route.outcomes.authorization_scopes == toset(["outcomes:write"]) && aws_apigatewayv2_route.default.authorization_scopes == null
    error_message = "The route of outcomes, and only it, must require the scope."
  }

  assert {
    condition     = aws_apigatewayv2_authorizer.jwt[0].jwt_configuration[0].issuer == "https://issuer.example" && aws_apigatewayv2_authorizer.jwt[0].jwt_configuration[0].audience == toset(["sample"])
    error_message = "The authorizer must accept only this issuer's tokens for this audience."
  }

  assert {
    condition     = aws_apigatewayv2_api.this.disable_execute_api_endpoint && output.api_url == "https://api.example.org" && aws_apigatewayv2_domain_name.this[0].domain_name_configuration[0].security_policy == "TLS_1_2" && aws_apigatewayv2_api_mapping.this[0].stage == aws_apigatewayv2_stage.default.id
    error_message = "The API must be reachable only through the domain."
  }
}

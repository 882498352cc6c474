mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_data "aws_region" {
    defaults = { name = "eu-west-1" }
  }
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/mock" }
  }
  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:eu-west-1:123456789012:log-group:mock" }
  }
  mock_resource "aws_lambda_function" {
    defaults = { arn = "arn:aws:lambda:eu-west-1:123456789012:function:mock", version = "7" }
  }
  mock_resource "aws_lambda_alias" {
    defaults = {
      arn        = "arn:aws:lambda:eu-west-1:123456789012:function:mock:live"
      invoke_arn = "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/mock:live/invocations"
    }
  }
  mock_resource "aws_apigatewayv2_api" {
    defaults = {
      execution_arn = "arn:aws:execute-api:eu-west-1:123456789012:api1"
      api_endpoint  = "https://api1.execute-api.eu-west-1.amazonaws.com"
    }
  }
  mock_resource "aws_cloudwatch_event_rule" {
    defaults = { arn = "arn:aws:events:eu-west-1:123456789012:rule/mock" }
  }
}

override_resource {
  target = aws_sqs_queue.records
  values = {
    arn = "arn:aws:sqs:eu-west-1:123456789012:diabetes-test-records"
    url = "https://sqs.eu-west-1.amazonaws.com/123456789012/diabetes-test-records"
    id  = "https://sqs.eu-west-1.amazonaws.com/123456789012/diabetes-test-records"
  }
}

override_resource {
  target = aws_sqs_queue.dead_letters
  values = {
    arn = "arn:aws:sqs:eu-west-1:123456789012:diabetes-test-dead-letters"
    url = "https://sqs.eu-west-1.amazonaws.com/123456789012/diabetes-test-dead-letters"
    id  = "https://sqs.eu-west-1.amazonaws.com/123456789012/diabetes-test-dead-letters"
  }
}

variables {
  name                       = "diabetes-test"
  image_uri                  = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/diabetes@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
  subnet_ids                 = ["subnet-1", "subnet-2"]
  function_security_group_id = "sg-function"
  model_bucket_name          = "diabetes-test-models"
  model_bucket_arn           = "arn:aws:s3:::diabetes-test-models"
  database_name              = "diabetes"
  database_port              = 5432
  proxy_endpoint             = "proxy.example.rds.amazonaws.com"
  proxy_resource_id          = "prx-0123456789abcdef0"
  master_user_name           = "master"
  role_secret_arns = {
    diabetes_api    = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:diabetes_api"
    diabetes_replay = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:diabetes_replay"
  }
  api_reserved_concurrency = 20
  throttle_rate            = 50
  throttle_burst           = 100
}

run "functions" {
  assert {
    condition = { for key, function in aws_lambda_function.this : key => [function.function_name, function.timeout, function.reserved_concurrent_executions, function.image_config[0].command[0]] } == {
      api     = ["diabetes-test-api", 29, 20, "lambda_app.handler.api"]
      migrate = ["diabetes-test-migrate", 900, 1, "lambda_app.handler.migrate"]
      replay  = ["diabetes-test-replay", 60, 2, "lambda_app.handler.replay"]
    }
    error_message = "Names, timeouts, reserved concurrency or commands of the functions are others."
  }

  assert {
    condition     = alltrue([for function in aws_lambda_function.this : function.package_type == "Image" && function.publish && function.image_uri == var.image_uri && function.logging_config[0].log_format == "Text" && function.tracing_config[0].mode == "PassThrough"])
    error_message = "Every function must be the image, published, with logs as text and without tracing."
  }

  assert {
    condition     = { for key, function in aws_lambda_function.this : key => function.vpc_config[0].security_group_ids } == { for key in ["api", "migrate", "replay"] : key => toset(["sg-function"]) }
    error_message = "A function is in the wrong security group."
  }

  assert {
    condition     = { for key, alias in aws_lambda_alias.live : key => [alias.name, alias.function_version] } == { for key in ["api", "migrate", "replay"] : key => ["live", "7"] }
    error_message = "The alias live must name the published version."
  }

  assert {
    condition     = { for key, group in aws_cloudwatch_log_group.function : key => [group.name, group.retention_in_days] } == { for key in ["api", "migrate", "replay"] : key => ["/aws/lambda/diabetes-test-${key}", 90] }
    error_message = "Each function has a log group with a retention."
  }

  assert {
    condition     = length(aws_lambda_provisioned_concurrency_config.api) == 0 && length(aws_cloudwatch_event_rule.keep_warm) == 0
    error_message = "Nothing is kept warm unless it is asked for."
  }
}

run "environment" {
  assert {
    condition = aws_lambda_function.this["api"].environment[0].variables == tomap({
      MODEL_BUCKET          = "diabetes-test-models"
      MODEL_RUNTIME         = "litert"
      MODEL_REFRESH_SECONDS = "60"
      DATABASE_HOST         = "proxy.example.rds.amazonaws.com"
      DATABASE_PORT         = "5432"
      DATABASE_NAME         = "diabetes"
      DATABASE_USER         = "diabetes_api"
      DATABASE_TLS          = "verify"
      QUEUE_URL             = "https://sqs.eu-west-1.amazonaws.com/123456789012/diabetes-test-records"
      DEAD_LETTER_QUEUE_URL = "https://sqs.eu-west-1.amazonaws.com/123456789012/diabetes-test-dead-letters"
      PAGES                 = "on"
      SERVICE_NAME          = "diabetes-test"
      METRICS_NAMESPACE     = "DiabetesMl"
      LOG_LEVEL             = "INFO"
    })
    error_message = "The api's environment is another."
  }

  assert {
    condition     = aws_lambda_function.this["replay"].environment[0].variables == tomap(merge(aws_lambda_function.this["api"].environment[0].variables, { DATABASE_USER = "diabetes_replay" }))
    error_message = "replay differs from api in its database role alone."
  }

  assert {
    condition = aws_lambda_function.this["migrate"].environment[0].variables == tomap(merge(aws_lambda_function.this["api"].environment[0].variables, {
      DATABASE_USER    = "master"
      ROLE_SECRET_ARNS = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:diabetes_api,arn:aws:secretsmanager:eu-west-1:123456789012:secret:diabetes_replay"
    }))
    error_message = "migrate differs from api in two things: it is the master user, and knows where the roles' passwords are."
  }
}

run "without_pages" {
  variables {
    pages_enabled = false
  }

  assert {
    condition     = alltrue([for function in aws_lambda_function.this : function.environment[0].variables["PAGES"] == "off"])
    error_message = "PAGES must be what was asked for."
  }
}

run "warmth_and_tracing" {
  variables {
    provisioned_concurrency = 2
    keep_warm_schedule      = "rate(5 minutes)"
    tracing_enabled         = true
  }

  assert {
    condition     = [for config in aws_lambda_provisioned_concurrency_config.api : [config.qualifier, config.provisioned_concurrent_executions]] == [["live", 2]]
    error_message = "The alias must have the provisioned concurrency that was asked for."
  }

  assert {
    condition     = aws_cloudwatch_event_rule.keep_warm[0].schedule_expression == "rate(5 minutes)" && aws_cloudwatch_event_target.keep_warm[0].arn == aws_lambda_alias.live["api"].arn && jsondecode(aws_cloudwatch_event_target.keep_warm[0].input).rawPath == "/health/live"
    error_message = "The schedule must ask the live alias for /health/live."
  }

  assert {
    condition     = aws_lambda_permission.keep_warm[0].principal == "events.amazonaws.com" && aws_lambda_permission.keep_warm[0].qualifier == "live" && aws_lambda_permission.keep_warm[0].source_arn == aws_cloudwatch_event_rule.keep_warm[0].arn
    error_message = "Only this rule may invoke the alias."
  }

  assert {
    condition     = alltrue([for function in aws_lambda_function.this : function.tracing_config[0].mode == "Active"])
    error_message = "Every function must be traced."
  }
}

run "rejects_an_image_by_tag" {
  command = plan
  variables {
    image_uri = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/diabetes:latest"
  }
  expect_failures = [var.image_uri]
}

run "rejects_values_out_of_range" {
  command = plan
  variables {
    name                    = "Diabetes Test"
    subnet_ids              = ["subnet-1"]
    model_runtime           = "onnx"
    model_refresh_seconds   = 0
    database_port           = 65536
    proxy_resource_id       = "diabetes-test"
    role_secret_arns        = { diabetes_api = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:diabetes_api" }
    memory_mb               = 256
    replay_concurrency      = 1
    provisioned_concurrency = 21
    keep_warm_schedule      = "5 minutes"
    log_level               = "TRACE"
    log_retention_days      = 42
    metrics_namespace       = "AWS/Lambda"
    jwt                     = { issuer = "http://issuer.example", audience = ["diabetes"] }
    throttle_rate           = 0
    throttle_burst          = 0.5
    queue_retention_days    = 15
  }
  expect_failures = [
    var.name, var.subnet_ids, var.model_runtime, var.model_refresh_seconds, var.database_port, var.proxy_resource_id,
    var.role_secret_arns, var.memory_mb, var.replay_concurrency, var.provisioned_concurrency,
    var.keep_warm_schedule, var.log_level, var.log_retention_days, var.metrics_namespace, var.jwt, var.throttle_rate,
    var.throttle_burst, var.queue_retention_days,
  ]
}

run "rejects_no_concurrency" {
  command = plan
  variables {
    api_reserved_concurrency = 0
  }
  expect_failures = [var.api_reserved_concurrency]
}

mock_provider "aws" {
  source = "./tests/mocks"
}

run "functions" {
  assert {
    condition = { for key, function in aws_lambda_function.this : key => [function.function_name, function.timeout, function.reserved_concurrent_executions, function.image_config[0].command[0]] } == {
      api      = ["sample-test-api", 29, 20, "lambda_app.handler.api"]
      maintain = ["sample-test-maintain", 900, 2, "lambda_app.handler.maintain"]
      migrate  = ["sample-test-migrate", 900, 1, "lambda_app.handler.migrate"]
      monitor  = ["sample-test-monitor", 900, 2, "lambda_app.handler.monitor"]
      replay   = ["sample-test-replay", 60, 2, "lambda_app.handler.replay"]
    }
    error_message = "Names, timeouts, reserved concurrency and commands of the functions must be these."
  }

  assert {
    condition     = alltrue([for key, function in aws_lambda_function.this : function.package_type == "Image" && function.publish && function.image_uri == (contains(["maintain", "monitor"], key) ? var.analyse_image_uri : var.image_uri) && function.logging_config[0].log_format == "Text" && function.tracing_config[0].mode == "PassThrough"])
    error_message = "Every function must use its image, be published, log as text, and have no tracing."
  }

  assert {
    condition     = { for key, function in aws_lambda_function.this : key => function.memory_size } == { api = 1024, maintain = 1024, migrate = 1024, monitor = 1024, replay = 1024 }
    error_message = "The memory of the functions must be this."
  }

  assert {
    condition     = { for key, function in aws_lambda_function.this : key => function.vpc_config[0].security_group_ids } == { for key in ["api", "maintain", "migrate", "monitor", "replay"] : key => toset(["sg-function"]) }
    error_message = "Every function must be in the functions' security group."
  }

  assert {
    condition     = { for key, alias in aws_lambda_alias.live : key => [alias.name, alias.function_version] } == { for key in ["api", "maintain", "migrate", "monitor", "replay"] : key => ["live", "7"] }
    error_message = "The alias live must name the published version."
  }

  assert {
    condition     = { for key, group in aws_cloudwatch_log_group.function : key => [group.name, group.retention_in_days] } == { for key in ["api", "maintain", "migrate", "monitor", "replay"] : key => ["/aws/lambda/sample-test-${key}", 90] }
    error_message = "Each function must have a log group with a retention."
  }

  assert {
    condition     = length(aws_lambda_provisioned_concurrency_config.api) == 0 && length(aws_cloudwatch_event_rule.keep_warm) == 0
    error_message = "By default, nothing may be kept warm."
  }

  assert {
    condition = aws_lambda_function.this["api"].environment[0].variables == tomap({
      MODEL_BUCKET          = "sample-test-models"
      IDEMPOTENCY_DAYS      = "30"
      MODEL_RUNTIME         = "litert"
      MODEL_REFRESH_SECONDS = "60"
      CANDIDATE_MAX_MS      = "200"
      DATABASE_HOST         = "proxy.example.rds.amazonaws.com"
      DATABASE_PORT         = "5432"
      DATABASE_NAME         = "sample"
      DATABASE_USER         = "sample_api"
      DATABASE_TLS          = "verify"
      QUEUE_URL             = "https://sqs.eu-west-1.amazonaws.com/123456789012/sample-test-records"
      DEAD_LETTER_QUEUE_URL = "https://sqs.eu-west-1.amazonaws.com/123456789012/sample-test-dead-letters"
      PAGES                 = "on"
      SERVICE_NAME          = "sample-test"
      METRICS_NAMESPACE     = "SampleService"
      LOG_LEVEL             = "INFO"
    })
    error_message = "The environment variables of api must be exactly these."
  }

  assert {
    condition     = aws_lambda_function.this["replay"].environment[0].variables == tomap(merge(aws_lambda_function.this["api"].environment[0].variables, { DATABASE_USER = "sample_replay" }))
    error_message = "replay must differ from api only in its database role."
  }

  assert {
    condition = aws_lambda_function.this["maintain"].environment[0].variables == tomap(merge(
      { for name, value in aws_lambda_function.this["api"].environment[0].variables : name => value if name != "MODEL_BUCKET" },
      { DATABASE_USER = "sample_maintain", RECORDS_BUCKET = "sample-test-records", DATABASE_STORAGE_GB = "100" },
    ))
    error_message = "maintain must differ from api in its database role, and have the records and the storage instead of the models."
  }

  assert {
    condition = aws_lambda_function.this["monitor"].environment[0].variables == tomap(merge(aws_lambda_function.this["api"].environment[0].variables, {
      DATABASE_USER               = "sample_monitor"
      MONITOR_WINDOW_DAYS         = "30"
      COVERAGE_TOLERANCE          = "0.04"
      DRIFT_FALSE_ALARMS_PER_YEAR = "1"
    }))
    error_message = "monitor must differ from api in its database role, and have its own settings."
  }

  assert {
    condition = aws_lambda_function.this["migrate"].environment[0].variables == tomap(merge(aws_lambda_function.this["api"].environment[0].variables, {
      DATABASE_USER    = "sample_owner"
      ROLE_SECRET_ARNS = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:sample_api,arn:aws:secretsmanager:eu-west-1:123456789012:secret:sample_maintain,arn:aws:secretsmanager:eu-west-1:123456789012:secret:sample_monitor,arn:aws:secretsmanager:eu-west-1:123456789012:secret:sample_replay"
    }))
    error_message = "migrate must differ from api in two things: the master user, and the ARNs of the roles' secrets."
  }
}

run "choices" {
  variables {
    pages_enabled           = false
    provisioned_concurrency = 2
    keep_warm_schedule      = "rate(5 minutes)"
    tracing_enabled         = true
    retention_months        = 3
    memory_mb               = 1769
  }

  assert {
    condition     = [for config in aws_lambda_provisioned_concurrency_config.api : [config.qualifier, config.provisioned_concurrent_executions]] == [["live", 2]]
    error_message = "The alias must have the given provisioned concurrency."
  }

  assert {
    condition     = aws_cloudwatch_event_rule.keep_warm[0].schedule_expression == "rate(5 minutes)" && aws_cloudwatch_event_target.keep_warm[0].arn == aws_lambda_alias.live["api"].arn && jsondecode(aws_cloudwatch_event_target.keep_warm[0].input).rawPath == "/health/live"
    error_message = "The schedule must send GET /health/live to the alias live."
  }

  assert {
    condition     = aws_lambda_permission.keep_warm[0].principal == "events.amazonaws.com" && aws_lambda_permission.keep_warm[0].qualifier == "live" && aws_lambda_permission.keep_warm[0].source_arn == aws_cloudwatch_event_rule.keep_warm[0].arn
    error_message = "Only this rule may invoke the alias."
  }

  assert {
    condition     = alltrue([for function in aws_lambda_function.this : function.tracing_config[0].mode == "Active"])
    error_message = "Every function must be traced."
  }

  assert {
    condition     = alltrue([for function in aws_lambda_function.this : function.environment[0].variables["PAGES"] == "off"])
    error_message = "PAGES must follow the variable."
  }

  assert {
    condition     = aws_lambda_function.this["maintain"].environment[0].variables["RETENTION_MONTHS"] == "3"
    error_message = "RETENTION_MONTHS must follow the variable."
  }

  assert {
    condition     = { for key, function in aws_lambda_function.this : key => function.memory_size } == { api = 1769, maintain = 1024, migrate = 1769, monitor = 1024, replay = 1769 }
    error_message = "The memory of maintain and monitor must not follow the variable."
  }
}

run "rejects_values_out_of_range" {
  command = plan
  variables {
    image_uri                   = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/sample:latest"
    analyse_image_uri           = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/sample:latest"
    retention_months            = 0
    monitor_window_days         = 0.5
    coverage_tolerance          = 0.3
    drift_false_alarms_per_year = 0
    idempotency_days            = 0.5
    database_user_names         = { api = "sample_api" }
    custom_domain               = { domain_name = "api.example.org", certificate_arn = "certificate" }
    name                        = "Sample Test"
    subnet_ids                  = ["subnet-1"]
    model_runtime               = "onnx"
    model_refresh_seconds       = 0
    candidate_max_ms            = 10001
    database_port               = 65536
    proxy_resource_id           = "sample-test"
    role_secret_arns            = { api = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:sample_api" }
    memory_mb                   = 256
    replay_concurrency          = 1
    provisioned_concurrency     = 21
    keep_warm_schedule          = "5 minutes"
    log_level                   = "TRACE"
    log_retention_days          = 42
    metrics_namespace           = "AWS/Lambda"
    jwt                         = { issuer = "http://issuer.example", audience = ["sample"] }
    throttle_rate               = 0
    throttle_burst              = 0.5
    queue_retention_days        = 15
  }
  expect_failures = [
    var.name, var.image_uri, var.analyse_image_uri, var.retention_months, var.monitor_window_days, var.coverage_tolerance, var.drift_false_alarms_per_year, var.idempotency_days, var.database_user_names, var.custom_domain, var.subnet_ids, var.model_runtime, var.model_refresh_seconds, var.candidate_max_ms, var.database_port, var.proxy_resource_id,
    var.role_secret_arns, var.memory_mb, var.replay_concurrency, var.provisioned_concurrency,
    var.keep_warm_schedule, var.log_level, var.log_retention_days, var.metrics_namespace, var.jwt, var.throttle_rate,
    var.throttle_burst, var.queue_retention_days,
  ]
}

run "reserves_nothing_for_a_small_quota" {
  variables {
    api_reserved_concurrency = null
  }

  assert {
    condition     = alltrue([for function in aws_lambda_function.this : coalesce(function.reserved_concurrent_executions, -1) == -1])
    error_message = "Without a reservation of api, no function may reserve anything."
  }

  assert {
    condition     = one(aws_lambda_event_source_mapping.replay.scaling_config).maximum_concurrency == var.replay_concurrency
    error_message = "The event source must still limit replay."
  }
}

run "rejects_no_concurrency" {
  command         = plan
  expect_failures = [var.api_reserved_concurrency]

  variables {
    api_reserved_concurrency = 0
  }
}

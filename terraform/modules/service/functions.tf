data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  # API Gateway gives up after 30 seconds. Separate from local.functions, so that the queues do not depend on the database.
  timeouts = { api = 29, replay = 60, migrate = 900, maintain = 900, monitor = 900 }

  # Reservations need a quota of more than 100, which new accounts do not have. So either all functions reserve or none.
  # Without them, the event source still limits replay, and a lock in the database migrate.
  reserves = var.api_reserved_concurrency != null

  functions = {
    api = {
      reserved_concurrency = var.api_reserved_concurrency
    }
    replay = {
      reserved_concurrency = local.reserves ? var.replay_concurrency : null
    }
    # migrate uses the proxy too, although it pins a connection there. So no function holds the master user's password,
    # and Python trusts the proxy's certificate without the CA bundle of RDS.
    migrate = {
      reserved_concurrency = local.reserves ? 1 : null
    }
    # Two, so that a person's command is served beside the daily run. A lock in the database keeps them apart where needed.
    maintain = {
      reserved_concurrency = local.reserves ? 2 : null
    }
    # Two for the same reason.
    monitor = {
      reserved_concurrency = local.reserves ? 2 : null
    }
  }

  # These run in the image analyse. Their memory does not depend on the number of rows.
  analysing  = ["maintain", "monitor"]
  image_uris = { for key in keys(local.functions) : key => contains(local.analysing, key) ? var.analyse_image_uri : var.image_uri }
  memory_mb  = { for key in keys(local.functions) : key => contains(local.analysing, key) ? 1024 : var.memory_mb }

  # What not every function needs. maintain works on the exported records, and the others may need a model.
  own_variables = {
    api    = { MODEL_BUCKET = var.model_bucket_name }
    replay = { MODEL_BUCKET = var.model_bucket_name }
    migrate = {
      MODEL_BUCKET     = var.model_bucket_name
      ROLE_SECRET_ARNS = join(",", values(var.role_secret_arns))
    }
    monitor = {
      MODEL_BUCKET                = var.model_bucket_name
      MONITOR_WINDOW_DAYS         = tostring(var.monitor_window_days)
      COVERAGE_TOLERANCE          = tostring(var.coverage_tolerance)
      DRIFT_FALSE_ALARMS_PER_YEAR = tostring(var.drift_false_alarms_per_year)
    }
    maintain = merge(
      {
        RECORDS_BUCKET      = var.records_bucket_name
        DATABASE_STORAGE_GB = tostring(var.database_storage_gb)
      },
      # Not set, it is for ever.
      var.retention_months == null ? {} : { RETENTION_MONTHS = tostring(var.retention_months) },
    )
  }

  # Every function reads and checks all settings. Without a password, each connection uses an IAM token.
  environments = {
    for key in keys(local.functions) : key => merge({
      MODEL_RUNTIME         = var.model_runtime
      MODEL_REFRESH_SECONDS = tostring(var.model_refresh_seconds)
      CANDIDATE_MAX_MS      = tostring(var.candidate_max_ms)
      DATABASE_HOST         = var.proxy_endpoint
      DATABASE_PORT         = tostring(var.database_port)
      DATABASE_NAME         = var.database_name
      DATABASE_USER         = var.database_user_names[key]
      DATABASE_TLS          = "verify"
      QUEUE_URL             = aws_sqs_queue.records.url
      DEAD_LETTER_QUEUE_URL = aws_sqs_queue.dead_letters.url
      IDEMPOTENCY_DAYS      = tostring(var.idempotency_days)
      PAGES                 = var.pages_enabled ? "on" : "off"
      SERVICE_NAME          = var.name
      METRICS_NAMESPACE     = var.metrics_namespace
      LOG_LEVEL             = var.log_level
    }, local.own_variables[key])
  }
}

# Lambda would otherwise create these groups without a retention.
resource "aws_cloudwatch_log_group" "function" {
  #checkov:skip=CKV_AWS_158:The logs contain no health data and no secrets. CloudWatch encrypts them with its own key.
  #checkov:skip=CKV_AWS_338:The caller sets the retention. The audit record is in the table, not in the logs.
  for_each = local.timeouts

  name              = "/aws/lambda/${var.name}-${each.key}"
  retention_in_days = var.log_retention_days
}

resource "aws_lambda_function" "this" {
  #checkov:skip=CKV_AWS_116:api and migrate are invoked synchronously, failed messages of replay stay in the queue, and maintain and monitor run again the next day.
  #checkov:skip=CKV_AWS_173:The variables contain no secret. Lambda encrypts them with its own key.
  #checkov:skip=CKV_AWS_272:Lambda cannot check signatures of container images. The digest pins the image.
  for_each = local.functions

  function_name                  = "${var.name}-${each.key}"
  role                           = aws_iam_role.function[each.key].arn
  package_type                   = "Image"
  image_uri                      = local.image_uris[each.key]
  architectures                  = ["x86_64"]
  memory_size                    = local.memory_mb[each.key]
  timeout                        = local.timeouts[each.key]
  reserved_concurrent_executions = each.value.reserved_concurrency
  # The aliases point to published versions. Only those can have provisioned concurrency.
  publish = true

  image_config {
    command = ["lambda_app.handler.${each.key}"]
  }

  environment {
    variables = local.environments[each.key]
  }

  vpc_config {
    subnet_ids         = var.subnet_ids
    security_group_ids = [var.function_security_group_id]
  }

  logging_config {
    # The functions write JSON themselves. Lambda's JSON format would wrap it and hide the metrics in it.
    log_format = "Text"
    log_group  = aws_cloudwatch_log_group.function[each.key].name
  }

  tracing_config {
    mode = var.tracing_enabled ? "Active" : "PassThrough"
  }

  # Lambda checks the role's permissions for network interfaces when it creates the function.
  depends_on = [aws_iam_role_policy.function, aws_iam_role_policy.network]
}

resource "aws_lambda_alias" "live" {
  for_each = local.functions

  name             = "live"
  function_name    = aws_lambda_function.this[each.key].function_name
  function_version = aws_lambda_function.this[each.key].version
}

resource "aws_lambda_provisioned_concurrency_config" "api" {
  count = var.provisioned_concurrency > 0 ? 1 : 0

  function_name                     = aws_lambda_function.this["api"].function_name
  qualifier                         = aws_lambda_alias.live["api"].name
  provisioned_concurrent_executions = var.provisioned_concurrency
}

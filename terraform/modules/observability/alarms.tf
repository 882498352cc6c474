# What goes wrong, by the section of docs/operations.md that says what to do.
locals {
  sections = {
    failing      = "Requests fail"
    slow         = "Answers are slow"
    throttled    = "Invocations are turned away"
    failed       = "Invocations fail as a whole"
    model        = "The model cannot be loaded"
    queue        = "The queue grows"
    dead_letters = "The dead-letter queue is not empty"
    cpu          = "The database is short of CPU"
    storage      = "The database is short of storage"
    connections  = "The database has too many connections"
    pinned       = "The proxy is pinned"
  }

  service_dimensions  = { service = var.service_name }
  gateway_dimensions  = { ApiId = var.api_id, Stage = var.stage_name }
  database_dimensions = { DBInstanceIdentifier = var.instance_identifier }

  period_seconds = 300

  # One period unless it says otherwise: a metric of a count is sent only when there is something to
  # count, so missing data is good news.
  alarms = merge({
    server-errors = {
      namespace = var.metrics_namespace, metric = "ServerErrors", dimensions = local.service_dimensions
      # The service counts every request, most with a zero: the average is the share of those that failed.
      statistic   = "Average", threshold = var.thresholds.server_error_share, section = local.sections.failing
      description = "Requests got a 5xx from the service. Read `request refused` and `request crashed` in the api's log."
    }
    gateway-5xx = {
      # That the average of 5xx is their share, API Gateway promises for REST APIs alone.
      expression  = "FILL(errors, 0) / requests", sums = { errors = "5xx", requests = "Count" }
      namespace   = "AWS/ApiGateway", dimensions = local.gateway_dimensions
      threshold   = var.thresholds.gateway_5xx_share, section = local.sections.failing
      description = "Requests got a 5xx from API Gateway, of the service's making or its own: a function that is throttled, slow or cannot start."
    }
    latency = {
      namespace   = "AWS/ApiGateway", metric = "Latency", dimensions = local.gateway_dimensions
      statistic   = "p99", threshold = var.thresholds.latency_p99_ms, periods = 3, section = local.sections.slow
      description = "One request of a hundred waits too long. Beside cold starts, it is the database that requests wait for."
    }
    queue-age = {
      # SQS leaves out messages that were received more than three times, so a long outage is seen by replay-failures.
      namespace   = "AWS/SQS", metric = "ApproximateAgeOfOldestMessage", dimensions = { QueueName = var.queue_name }
      statistic   = "Maximum", threshold = var.thresholds.queue_age_seconds, section = local.sections.queue
      description = "Records wait in the queue and do not reach the table."
    }
    records-to-queue = {
      namespace   = var.metrics_namespace, metric = "RecordsToQueue", dimensions = local.service_dimensions
      statistic   = "Sum", threshold = 0, section = local.sections.queue
      description = "The database did not take records; the queue has them."
    }
    replay-failures = {
      namespace   = var.metrics_namespace, metric = "ReplayFailures", dimensions = local.service_dimensions
      statistic   = "Sum", threshold = var.thresholds.replay_failed_messages, section = local.sections.queue
      description = "Records of the queue could not be stored; they stay there. The lines `replay failed` say why."
    }
    dead-letters = {
      namespace   = "AWS/SQS", metric = "ApproximateNumberOfMessagesVisible", dimensions = { QueueName = var.dead_letter_queue_name }
      statistic   = "Maximum", threshold = 0, section = local.sections.dead_letters
      description = "There are messages in the dead-letter queue."
    }
    model-load-failures = {
      namespace   = var.metrics_namespace, metric = "ModelLoadFailures", dimensions = local.service_dimensions
      statistic   = "Sum", threshold = 0, section = local.sections.model
      description = "The promoted model cannot be loaded: environments that have one go on with it, new ones answer 503. The line `model cannot be loaded` says why; roll back."
    }
    proxy-pinned = {
      namespace   = "AWS/RDS", metric = "DatabaseConnectionsCurrentlySessionPinned", dimensions = { ProxyName = var.proxy_name }
      statistic   = "Maximum", threshold = var.thresholds.pinned_connections, periods = 2, section = local.sections.pinned
      description = "A client keeps a database connection of the proxy to itself."
    }
    database-cpu = {
      namespace   = "AWS/RDS", metric = "CPUUtilization", dimensions = local.database_dimensions
      statistic   = "Average", threshold = var.thresholds.database_cpu_percent, periods = 3, section = local.sections.cpu
      description = "The database is short of CPU. When it gets too slow, records go to the queue."
    }
    database-storage = {
      namespace   = "AWS/RDS", metric = "FreeStorageSpace", dimensions = local.database_dimensions
      statistic   = "Minimum", threshold = var.thresholds.database_free_bytes, comparison = "LessThanThreshold", section = local.sections.storage
      description = "The database is short of storage, and at the end of its autoscaling or too fast for it. When it is full, records go to the queue."
    }
    database-connections = {
      namespace   = "AWS/RDS", metric = "DatabaseConnections", dimensions = local.database_dimensions
      statistic   = "Maximum", threshold = var.thresholds.database_connections, periods = 2, section = local.sections.connections
      description = "The database has more connections than it should. Look for pinning, and for clients other than the proxy."
    }
    }, {
    for key, name in var.function_names : "throttles-${key}" => {
      namespace   = "AWS/Lambda", metric = "Throttles", dimensions = { FunctionName = name }
      statistic   = "Sum", threshold = var.thresholds.throttled_invocations, section = local.sections.throttled
      description = "Invocations of ${name} were turned away: its reserved concurrency or the account's is used up."
    }
    }, {
    for key, name in var.function_names : "errors-${key}" => {
      # Exceptions of requests are not among them.
      namespace   = "AWS/Lambda", metric = "Errors", dimensions = { FunctionName = name }
      statistic   = "Sum", threshold = var.thresholds.failed_invocations, section = local.sections.failed
      description = "Invocations of ${name} failed as a whole: it cannot start, ran out of time or memory."
    }
  })
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name        = "${var.name}-${each.key}"
  alarm_description = "${each.value.description} Runbook: docs/operations.md, \"${each.value.section}\"."

  # A metric, or an expression of some.
  namespace   = can(each.value.metric) ? each.value.namespace : null
  metric_name = try(each.value.metric, null)
  dimensions  = can(each.value.metric) ? each.value.dimensions : null
  period      = can(each.value.metric) ? local.period_seconds : null

  statistic          = try(startswith(each.value.statistic, "p") ? null : each.value.statistic, null)
  extended_statistic = try(startswith(each.value.statistic, "p") ? each.value.statistic : null, null)
  # To be "ignored", a p99 takes less than a thousand requests in a period: a quiet service could be slow for ever.
  evaluate_low_sample_count_percentiles = try(startswith(each.value.statistic, "p") ? "evaluate" : null, null)

  dynamic "metric_query" {
    for_each = try(each.value.sums, {})

    content {
      id = metric_query.key

      metric {
        namespace   = each.value.namespace
        metric_name = metric_query.value
        dimensions  = each.value.dimensions
        period      = local.period_seconds
        stat        = "Sum"
      }
    }
  }

  dynamic "metric_query" {
    for_each = can(each.value.expression) ? [each.value.expression] : []

    content {
      id          = "result"
      expression  = metric_query.value
      label       = each.key
      return_data = true
    }
  }

  comparison_operator = try(each.value.comparison, "GreaterThanThreshold")
  threshold           = each.value.threshold
  evaluation_periods  = try(each.value.periods, 1)
  treat_missing_data  = "notBreaching"

  alarm_actions = [aws_sns_topic.alarms.arn]
  ok_actions    = [aws_sns_topic.alarms.arn]
}

# The sections of docs/operations.md that alarms refer to.
locals {
  sections = {
    failing      = "Requests fail"
    slow         = "Answers are slow"
    throttled    = "Invocations are turned away"
    failed       = "Invocations fail as a whole"
    model        = "The model cannot be loaded"
    broken       = "The candidate fails"
    laggard      = "The candidate is slow"
    dissenter    = "The candidate disagrees"
    queue        = "The queue grows"
    dead_letters = "The dead-letter queue is not empty"
    cpu          = "The database is short of CPU"
    storage      = "The database is short of storage"
    connections  = "The database has too many connections"
    pinned       = "The proxy is pinned"
    maintenance  = "The records are not looked after"
    coverage     = "Coverage alarm"
    drift        = "Drift alarm"
    report       = "No report"
    outcomes     = "Few outcomes arrive"
  }

  service_dimensions  = { service = var.service_name }
  gateway_dimensions  = { ApiId = var.api_id, Stage = var.stage_name }
  database_dimensions = { DBInstanceIdentifier = var.instance_identifier }

  period_seconds = 300
  shift_seconds  = 21600
  day_seconds    = 86400

  # Of fewer shadows, a share says little.
  fewest_shadows = 20

  # Counts are sent only if there is something to count, so missing data is not a failure unless an alarm says so. An alarm
  # evaluates one period, of five minutes, unless it names more or another, and then all of them unless it names fewer as
  # `needed`.
  alarms = merge({
    server-errors = {
      namespace = var.metrics_namespace, metric = "ServerErrors", dimensions = local.service_dimensions
      # The service sends 0 or 1 for every request, so the average is the share of failed requests.
      statistic   = "Average", threshold = var.thresholds.server_error_share, section = local.sections.failing
      description = "The service answered requests with 5xx. See `request refused` and `request crashed` in the log of api."
    }
    gateway-5xx = {
      # Only for REST APIs does API Gateway document that the average of 5xx is a share.
      expression  = "FILL(errors, 0) / requests", sums = { errors = "5xx", requests = "Count" }
      namespace   = "AWS/ApiGateway", dimensions = local.gateway_dimensions
      threshold   = var.thresholds.gateway_5xx_share, section = local.sections.failing
      description = "API Gateway answered requests with 5xx, from the service or because the function is throttled, slow or cannot start."
    }
    latency = {
      namespace   = "AWS/ApiGateway", metric = "Latency", dimensions = local.gateway_dimensions
      statistic   = "p99", threshold = var.thresholds.latency_p99_ms, periods = 3, section = local.sections.slow
      description = "The slowest 1 % of requests take too long, because of cold starts or the database."
    }
    queue-age = {
      # SQS omits messages received more than three times, so replay-failures detects a long outage.
      namespace   = "AWS/SQS", metric = "ApproximateAgeOfOldestMessage", dimensions = { QueueName = var.queue_name }
      statistic   = "Maximum", threshold = var.thresholds.queue_age_seconds, section = local.sections.queue
      description = "Records wait in the queue and do not reach the table."
    }
    records-to-queue = {
      namespace   = var.metrics_namespace, metric = "RecordsToQueue", dimensions = local.service_dimensions
      statistic   = "Sum", threshold = 0, section = local.sections.queue
      description = "The database did not accept records. They are in the queue."
    }
    replay-failures = {
      namespace   = var.metrics_namespace, metric = "ReplayFailures", dimensions = local.service_dimensions
      statistic   = "Sum", threshold = var.thresholds.replay_failed_messages, section = local.sections.queue
      description = "Replay could not store records. They stay in the queue. `replay failed` in the log of replay gives the reason."
    }
    dead-letters = {
      namespace   = "AWS/SQS", metric = "ApproximateNumberOfMessagesVisible", dimensions = { QueueName = var.dead_letter_queue_name }
      statistic   = "Maximum", threshold = 0, section = local.sections.dead_letters
      description = "The dead-letter queue has messages."
    }
    model-load-failures = {
      namespace = var.metrics_namespace, metric = "ModelLoadFailures", dimensions = local.service_dimensions
      # A single failure is a slow handshake or an error of S3: the next check, a minute later, mends it.
      statistic   = "Sum", threshold = 0, periods = 3, needed = 2, section = local.sections.model
      description = "The promoted model cannot be loaded. Execution environments with a model keep it, new ones answer 503. Roll back. `model cannot be loaded` in the log gives the reason."
    }
    candidate-failures = {
      namespace   = var.metrics_namespace, metric = "CandidateFailures", dimensions = local.service_dimensions
      statistic   = "Sum", threshold = 0, section = local.sections.broken
      description = "The candidate could not be loaded, or did not answer, or took more than ${var.candidate_max_ms} ms. Each answer was as without it. `candidate failed` in the log of api has candidate_version and reason. To end the trial: python -m training abort."
    }
    candidate-latency = {
      namespace   = var.metrics_namespace, metric = "CandidateLatency", dimensions = local.service_dimensions
      statistic   = "Average", threshold = var.thresholds.candidate_latency_ms, periods = 3, section = local.sections.laggard
      description = "The candidate takes more than ${var.thresholds.candidate_latency_ms} ms for a case, which each request that it is asked for waits. candidate_version in the log lines `request` of api names it. To end the trial: python -m training abort."
    }
    candidate-disagreement = {
      expression  = "IF(shadows >= ${local.fewest_shadows}, disagreements / shadows, 0)"
      sums        = { disagreements = "ShadowDisagreements", shadows = "ShadowPredictions" }
      namespace   = var.metrics_namespace, dimensions = local.service_dimensions, period = local.shift_seconds
      threshold   = var.thresholds.disagreement_share, section = local.sections.dissenter
      description = "Of the candidate's predictions as a shadow, more than the threshold are outside the interval of the answer. No answer was changed. Look at both before it goes on: python -m training compare. To end the trial: python -m training abort."
    }
    proxy-pinned = {
      namespace   = "AWS/RDS", metric = "DatabaseConnectionsCurrentlySessionPinned", dimensions = { ProxyName = var.proxy_name }
      statistic   = "Maximum", threshold = var.thresholds.pinned_connections, periods = 2, section = local.sections.pinned
      description = "A client pins a database connection of the proxy."
    }
    database-cpu = {
      namespace   = "AWS/RDS", metric = "CPUUtilization", dimensions = local.database_dimensions
      statistic   = "Average", threshold = var.thresholds.database_cpu_percent, periods = 3, section = local.sections.cpu
      description = "The database is short of CPU. If it gets too slow, records go to the queue."
    }
    database-storage = {
      namespace   = "AWS/RDS", metric = "FreeStorageSpace", dimensions = local.database_dimensions
      statistic   = "Minimum", threshold = var.thresholds.database_free_bytes, comparison = "LessThanThreshold", section = local.sections.storage
      description = "The database is short of storage: autoscaling has reached its limit or is too slow. If storage is full, records go to the queue."
    }
    database-connections = {
      namespace   = "AWS/RDS", metric = "DatabaseConnections", dimensions = local.database_dimensions
      statistic   = "Maximum", threshold = var.thresholds.database_connections, periods = 2, section = local.sections.connections
      description = "The database has too many connections. Check for pinning and for clients other than the proxy."
    }
    maintenance-missing = {
      # Filled, because CloudWatch would otherwise go back to the last days with a run.
      expression  = "FILL(runs, 0)", sums = { runs = "MaintenanceRuns" }
      namespace   = var.metrics_namespace, dimensions = local.service_dimensions, period = local.day_seconds, periods = 2
      threshold   = 1, comparison = "LessThanThreshold", missing = "breaching", section = local.sections.maintenance
      description = "The daily work of maintain has not succeeded for two days: no export, no expiry, no new partitions. In a new environment this alarm ends with the first night."
    }
    default-partition = {
      # Sent once a day.
      namespace   = var.metrics_namespace, metric = "DefaultPartitionRows", dimensions = local.service_dimensions
      statistic   = "Maximum", threshold = 0, period = local.day_seconds, section = local.sections.maintenance
      description = "Rows are in the default partition, because the month of their time had none. The daily work moves them."
    }
    coverage = {
      # Sent once a day, as 0 or 1. So is the next.
      namespace   = var.metrics_namespace, metric = "CoverageAlarm", dimensions = local.service_dimensions
      statistic   = "Maximum", threshold = 0, period = local.day_seconds, section = local.sections.coverage
      description = "More outcomes fall outside their intervals than the promise and its tolerance allow. A false alarm comes on average at most once in 10,000 outcomes, if they are reported in the order in which they were observed."
    }
    drift = {
      namespace   = var.metrics_namespace, metric = "DriftAlarm", dimensions = local.service_dimensions
      statistic   = "Maximum", threshold = 0, period = local.day_seconds, section = local.sections.drift
      description = "Inputs or predictions are distributed unlike those in training. Without any drift, ${var.drift_false_alarms_per_year} false alarms a year are to be expected."
    }
    report-missing = {
      expression  = "FILL(reports, 0)", sums = { reports = "MonitorReports" }
      namespace   = var.metrics_namespace, dimensions = local.service_dimensions, period = local.day_seconds, periods = 2
      threshold   = 1, comparison = "LessThanThreshold", missing = "breaching", section = local.sections.report
      description = "monitor has written no report for two days, so the alarms of coverage and drift say nothing. In a new environment this alarm ends with the first night."
    }
    }, {
    for key, threshold in { outcome-share = var.thresholds.outcome_share } : key => {
      namespace                           = var.metrics_namespace, metric = "OutcomeShare", dimensions = local.service_dimensions
      statistic                           = "Minimum", threshold = threshold, comparison = "LessThanThreshold", period = local.day_seconds, section = local.sections.outcomes
      description                         = "Fewer of the outcomes that are due have been reported than the threshold asks for, so the live figures rest on few cases or on selected ones."
    } if threshold != null
    }, {
    for key, name in var.function_names : "throttles-${key}" => {
      namespace   = "AWS/Lambda", metric = "Throttles", dimensions = { FunctionName = name }
      statistic   = "Sum", threshold = var.thresholds.throttled_invocations, section = local.sections.throttled
      description = "Lambda throttled invocations of ${name}: its reserved concurrency or the account's quota is used up."
    }
    }, {
    for key, name in var.function_names : "errors-${key}" => {
      # Excludes exceptions that the application answers with 500.
      namespace   = "AWS/Lambda", metric = "Errors", dimensions = { FunctionName = name }
      statistic   = "Sum", threshold = var.thresholds.failed_invocations, section = local.sections.failed
      description = "Invocations of ${name} failed: it cannot start, or ran out of time or memory."
    }
  })
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name        = "${var.name}-${each.key}"
  alarm_description = "${each.value.description} Runbook: docs/operations.md, \"${each.value.section}\"."

  # An alarm has either a metric or an expression over several.
  namespace   = can(each.value.metric) ? each.value.namespace : null
  metric_name = try(each.value.metric, null)
  dimensions  = can(each.value.metric) ? each.value.dimensions : null
  period      = can(each.value.metric) ? try(each.value.period, local.period_seconds) : null

  statistic          = try(startswith(each.value.statistic, "p") ? null : each.value.statistic, null)
  extended_statistic = try(startswith(each.value.statistic, "p") ? each.value.statistic : null, null)
  # With "ignore", a p99 of fewer than a thousand requests in a period would never alarm.
  evaluate_low_sample_count_percentiles = try(startswith(each.value.statistic, "p") ? "evaluate" : null, null)

  dynamic "metric_query" {
    for_each = try(each.value.sums, {})

    content {
      id = metric_query.key

      metric {
        namespace   = each.value.namespace
        metric_name = metric_query.value
        dimensions  = each.value.dimensions
        period      = try(each.value.period, local.period_seconds)
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
  datapoints_to_alarm = try(each.value.needed, null)
  treat_missing_data  = try(each.value.missing, "notBreaching")

  alarm_actions = [aws_sns_topic.alarms.arn]
  ok_actions    = [aws_sns_topic.alarms.arn]
}

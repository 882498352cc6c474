locals {
  api = var.function_names.api

  # Graphs from the caller to the database. A metric has CloudWatch's form: namespace, name, dimension, value, …, options.
  # An expression has options alone.
  graphs = [
    { title = "Requests at the gateway", stat = "Sum", metrics = [
      ["AWS/ApiGateway", "Count", "ApiId", var.api_id, "Stage", var.stage_name, {}],
      ["AWS/ApiGateway", "4xx", "ApiId", var.api_id, "Stage", var.stage_name, {}],
      ["AWS/ApiGateway", "5xx", "ApiId", var.api_id, "Stage", var.stage_name, {}],
    ] },
    { title = "Latency, ms", stat = "p50", metrics = flatten([for stat in ["p50", "p90", "p99"] : [
      { metric = ["AWS/ApiGateway", "Latency", "ApiId", var.api_id, "Stage", var.stage_name, { stat = stat, label = "gateway ${stat}" }] },
      { metric = [var.metrics_namespace, "Latency", "service", var.service_name, { stat = stat, label = "service ${stat}" }] },
    ]])[*].metric },
    { title = "Errors and throttles of the functions", stat = "Sum", metrics = concat(
      [[var.metrics_namespace, "ServerErrors", "service", var.service_name, {}]],
      [for name in values(var.function_names) : ["AWS/Lambda", "Errors", "FunctionName", name, { label = "errors ${name}" }]],
      [for name in values(var.function_names) : ["AWS/Lambda", "Throttles", "FunctionName", name, { label = "throttles ${name}" }]],
    ) },
    { title = "Cold starts and concurrency of the api", stat = "Maximum", metrics = [
      [var.metrics_namespace, "ColdStart", "function_name", local.api, "service", var.service_name, { stat = "Sum" }],
      ["AWS/Lambda", "ConcurrentExecutions", "FunctionName", local.api, {}],
    ] },
    { title = "Records by destination", stat = "Sum", metrics = [
      [var.metrics_namespace, "Predictions", "service", var.service_name, {}],
      [var.metrics_namespace, "RecordsToDatabase", "service", var.service_name, {}],
      [var.metrics_namespace, "RecordsToQueue", "service", var.service_name, {}],
      [var.metrics_namespace, "RecordsReplayed", "service", var.service_name, {}],
    ] },
    { title = "Outcomes by destination", stat = "Sum", metrics = [
      [var.metrics_namespace, "Outcomes", "service", var.service_name, {}],
      [var.metrics_namespace, "OutcomesToDatabase", "service", var.service_name, {}],
      [var.metrics_namespace, "OutcomesToQueue", "service", var.service_name, {}],
    ] },
    { title = "Failures of database, replay and model", stat = "Sum", metrics = [
      [var.metrics_namespace, "DatabaseFailures", "service", var.service_name, {}],
      [var.metrics_namespace, "ReplayFailures", "service", var.service_name, {}],
      [var.metrics_namespace, "MessagesDeadLettered", "service", var.service_name, {}],
      [var.metrics_namespace, "ModelLoadFailures", "service", var.service_name, {}],
    ] },
    { title = "Predictions: quantiles of each hundred", stat = "Average", metrics = [
      for percent in [10, 50, 90] : [var.metrics_namespace, "PredictionP${percent}", "service", var.service_name, {}]
    ] },
    # The current model gives the answers that the candidate does not.
    { title = "Predictions by model", stat = "Sum", metrics = [
      [{ expression = "answers - FILL(candidates, 0)", label = "answers of the current model", id = "currents" }],
      [var.metrics_namespace, "Predictions", "service", var.service_name, { id = "answers", visible = false }],
      [var.metrics_namespace, "CandidatePredictions", "service", var.service_name, { id = "candidates", label = "answers of the candidate" }],
      [var.metrics_namespace, "ShadowPredictions", "service", var.service_name, { label = "shadows beside answers" }],
    ] },
    { title = "Candidate: failures, and ms for a case", stat = "Average", metrics = [
      [var.metrics_namespace, "CandidateFailures", "service", var.service_name, { stat = "Sum" }],
      [var.metrics_namespace, "CandidateLatency", "service", var.service_name, { yAxis = "right" }],
      [var.metrics_namespace, "CandidateLatency", "service", var.service_name, { stat = "p99", label = "CandidateLatency p99", yAxis = "right" }],
    ] },
    { title = "Candidate: share of shadows outside the interval of the answer", stat = "Sum", metrics = [
      [{ expression = "disagreements / shadows", label = "share", id = "share" }],
      [var.metrics_namespace, "ShadowDisagreements", "service", var.service_name, { id = "disagreements", visible = false }],
      [var.metrics_namespace, "ShadowPredictions", "service", var.service_name, { id = "shadows", visible = false }],
    ] },
    { title = "Messages in the queues", stat = "Maximum", metrics = [
      ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", var.queue_name, {}],
      ["AWS/SQS", "ApproximateNumberOfMessagesNotVisible", "QueueName", var.queue_name, {}],
      ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", var.dead_letter_queue_name, {}],
    ] },
    { title = "Waiting time of the oldest message, s", stat = "Maximum", metrics = [
      ["AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName", var.queue_name, {}],
    ] },
    # Each host of the proxy sends its own numbers every minute.
    { title = "Connections of the proxy", stat = "Sum", period = 60, metrics = [
      ["AWS/RDS", "ClientConnections", "ProxyName", var.proxy_name, {}],
      ["AWS/RDS", "DatabaseConnections", "ProxyName", var.proxy_name, {}],
      ["AWS/RDS", "DatabaseConnectionsCurrentlySessionPinned", "ProxyName", var.proxy_name, {}],
    ] },
    { title = "Connections of the database", stat = "Maximum", metrics = [
      ["AWS/RDS", "DatabaseConnections", "DBInstanceIdentifier", var.instance_identifier, {}],
    ] },
    { title = "Load of the database: CPU in percent, sessions at work", stat = "Average", metrics = [
      ["AWS/RDS", "CPUUtilization", "DBInstanceIdentifier", var.instance_identifier, {}],
      ["AWS/RDS", "DBLoad", "DBInstanceIdentifier", var.instance_identifier, { yAxis = "right" }],
    ] },
    { title = "Free storage of the database, bytes", stat = "Minimum", metrics = [
      ["AWS/RDS", "FreeStorageSpace", "DBInstanceIdentifier", var.instance_identifier, {}],
    ] },
    { title = "Daily work on the records", stat = "Sum", period = 86400, metrics = [
      [var.metrics_namespace, "MaintenanceRuns", "service", var.service_name, {}],
      [var.metrics_namespace, "MaintenanceFailures", "service", var.service_name, {}],
      [var.metrics_namespace, "PartitionsDropped", "service", var.service_name, {}],
      [var.metrics_namespace, "DefaultPartitionRows", "service", var.service_name, { stat = "Maximum" }],
      [var.metrics_namespace, "RowsExported", "service", var.service_name, { yAxis = "right" }],
    ] },
    { title = "Live error of the current version", stat = "Maximum", period = 86400, metrics = [
      [var.metrics_namespace, "LiveMAE", "service", var.service_name, {}],
      [var.metrics_namespace, "LiveRMSE", "service", var.service_name, {}],
    ] },
    { title = "Coverage, and the evidence against it (1 is an alarm)", stat = "Maximum", period = 86400, metrics = [
      [var.metrics_namespace, "LiveCoverage", "service", var.service_name, {}],
      [var.metrics_namespace, "CoverageAlarm", "service", var.service_name, {}],
      [var.metrics_namespace, "CoverageEvidence", "service", var.service_name, { yAxis = "right" }],
    ] },
    { title = "Drift: the alarm, and the columns that have moved", stat = "Maximum", period = 86400, metrics = [
      [var.metrics_namespace, "DriftAlarm", "service", var.service_name, {}],
      [var.metrics_namespace, "DriftedColumns", "service", var.service_name, {}],
    ] },
    { title = "Reports, and the share of outcomes that have come", stat = "Maximum", period = 86400, metrics = [
      [var.metrics_namespace, "MonitorReports", "service", var.service_name, { stat = "Sum" }],
      [var.metrics_namespace, "OutcomeShare", "service", var.service_name, { stat = "Minimum" }],
    ] },
  ]

  # Queries of the log of api.
  tables = {
    # A REPORT line has @initDuration only for a cold start.
    "Initialisation of the api"               = <<-EOT
      SOURCE '${var.log_group_names.api}'
      | filter @type = "REPORT" and ispresent(@initDuration)
      | stats count(*) as cold_starts, pct(@initDuration, 50) as init_p50_ms, max(@initDuration) as init_max_ms by bin(1h)
    EOT
    "Model versions that environments loaded" = <<-EOT
      SOURCE '${var.log_group_names.api}'
      | filter message = "model loaded"
      | stats count(*) as loads, min(@timestamp) as first, max(@timestamp) as last by model_version
    EOT
    "Failures of the candidate"               = <<-EOT
      SOURCE '${var.log_group_names.api}'
      | filter message = "candidate failed"
      | stats count(*) as failures, max(@timestamp) as last by candidate_version, reason
    EOT
    # A batch may have answers of two versions, so the line of a request has a list.
    "Predictions by version" = <<-EOT
      SOURCE '${var.log_group_names.api}'
      | filter ispresent(answers.0.version)
      | fields jsonParse(@message) as line
      | unnest line.answers into answer
      | stats sum(answer.count) as predictions by answer.version
    EOT
  }
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = var.name

  dashboard_body = jsonencode({
    widgets = concat(
      [for index, graph in local.graphs : {
        type = "metric", width = 12, height = 6, x = index % 2 * 12, y = floor(index / 2) * 6
        properties = {
          title   = graph.title
          stat    = graph.stat
          metrics = graph.metrics
          period  = try(graph.period, 300)
          region  = data.aws_region.current.name
          view    = "timeSeries"
        }
      }],
      [for index, title in keys(local.tables) : {
        type = "log", width = 12, height = 6, x = index % 2 * 12, y = (ceil(length(local.graphs) / 2) + floor(index / 2)) * 6
        properties = {
          title  = title
          query  = local.tables[title]
          region = data.aws_region.current.name
          view   = "table"
        }
      }],
    )
  })
}

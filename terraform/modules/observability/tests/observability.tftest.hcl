mock_provider "aws" {
  # The account, partition and region are those of the service's tests.
  source = "../service/tests/mocks"

  mock_resource "aws_sns_topic" {
    defaults = { arn = "arn:aws:sns:eu-west-1:123456789012:sample-test-alarms" }
  }
  mock_resource "aws_kms_key" {
    defaults = { arn = "arn:aws:kms:eu-west-1:123456789012:key/1" }
  }
}

variables {
  name                        = "sample-test"
  metrics_namespace           = "SampleService"
  service_name                = "sample-test"
  function_names              = { api = "sample-test-api", replay = "sample-test-replay", migrate = "sample-test-migrate", maintain = "sample-test-maintain", monitor = "sample-test-monitor" }
  log_group_names             = { api = "/aws/lambda/sample-test-api", replay = "/aws/lambda/sample-test-replay", migrate = "/aws/lambda/sample-test-migrate", maintain = "/aws/lambda/sample-test-maintain", monitor = "/aws/lambda/sample-test-monitor" }
  api_id                      = "api1"
  stage_name                  = "$default"
  queue_name                  = "sample-test-records"
  dead_letter_queue_name      = "sample-test-dead-letters"
  proxy_name                  = "sample-test-proxy"
  instance_identifier         = "sample-test-database"
  alarm_email                 = null
  drift_false_alarms_per_year = 2
  candidate_max_ms            = 250
  thresholds                  = {}
}

run "alarms" {
  assert {
    condition = { for key, alarm in aws_cloudwatch_metric_alarm.this : key => "${alarm.namespace} ${alarm.metric_name} ${coalesce(alarm.statistic, alarm.extended_statistic)} ${alarm.comparison_operator} ${alarm.threshold} ${alarm.evaluation_periods}" if length(alarm.metric_query) == 0 } == {
      server-errors        = "SampleService ServerErrors Average GreaterThanThreshold 0.01 1"
      latency              = "AWS/ApiGateway Latency p99 GreaterThanThreshold 3000 3"
      queue-age            = "AWS/SQS ApproximateAgeOfOldestMessage Maximum GreaterThanThreshold 900 1"
      records-to-queue     = "SampleService RecordsToQueue Sum GreaterThanThreshold 0 1"
      replay-failures      = "SampleService ReplayFailures Sum GreaterThanThreshold 0 1"
      dead-letters         = "AWS/SQS ApproximateNumberOfMessagesVisible Maximum GreaterThanThreshold 0 1"
      model-load-failures  = "SampleService ModelLoadFailures Sum GreaterThanThreshold 0 3"
      candidate-failures   = "SampleService CandidateFailures Sum GreaterThanThreshold 0 1"
      candidate-latency    = "SampleService CandidateLatency Average GreaterThanThreshold 50 3"
      proxy-pinned         = "AWS/RDS DatabaseConnectionsCurrentlySessionPinned Maximum GreaterThanThreshold 0 2"
      database-cpu         = "AWS/RDS CPUUtilization Average GreaterThanThreshold 80 3"
      database-storage     = "AWS/RDS FreeStorageSpace Minimum LessThanThreshold 4294967296 1"
      database-connections = "AWS/RDS DatabaseConnections Maximum GreaterThanThreshold 60 2"
      throttles-api        = "AWS/Lambda Throttles Sum GreaterThanThreshold 0 1"
      throttles-replay     = "AWS/Lambda Throttles Sum GreaterThanThreshold 0 1"
      throttles-migrate    = "AWS/Lambda Throttles Sum GreaterThanThreshold 0 1"
      throttles-maintain   = "AWS/Lambda Throttles Sum GreaterThanThreshold 0 1"
      throttles-monitor    = "AWS/Lambda Throttles Sum GreaterThanThreshold 0 1"
      coverage             = "SampleService CoverageAlarm Maximum GreaterThanThreshold 0 1"
      drift                = "SampleService DriftAlarm Maximum GreaterThanThreshold 0 1"
      default-partition    = "SampleService DefaultPartitionRows Maximum GreaterThanThreshold 0 1"
      errors-api           = "AWS/Lambda Errors Sum GreaterThanThreshold 0 1"
      errors-replay        = "AWS/Lambda Errors Sum GreaterThanThreshold 0 1"
      errors-migrate       = "AWS/Lambda Errors Sum GreaterThanThreshold 0 1"
      errors-maintain      = "AWS/Lambda Errors Sum GreaterThanThreshold 0 1"
      errors-monitor       = "AWS/Lambda Errors Sum GreaterThanThreshold 0 1"
    }
    error_message = "The set of alarms must be exactly this one."
  }

  assert {
    condition     = { for key, alarm in aws_cloudwatch_metric_alarm.this : key => alarm.datapoints_to_alarm if alarm.datapoints_to_alarm != null } == { model-load-failures = 2 }
    error_message = "A single failure to load the model must not raise an alarm. All other alarms need all their periods."
  }

  assert {
    condition     = alltrue([for key, alarm in aws_cloudwatch_metric_alarm.this : alarm.alarm_actions == toset([aws_sns_topic.alarms.arn]) && alarm.ok_actions == toset([aws_sns_topic.alarms.arn]) && alarm.treat_missing_data == (contains(["maintenance-missing", "report-missing"], key) ? "breaching" : "notBreaching")])
    error_message = "Every alarm must notify the topic when it starts and when it ends."
  }

  assert {
    condition     = alltrue([for key, alarm in aws_cloudwatch_metric_alarm.this : alarm.period == (contains(["coverage", "default-partition", "drift"], key) ? 86400 : 300) if length(alarm.metric_query) == 0])
    error_message = "A period must be five minutes, and of the daily work a day."
  }

  assert {
    condition = (
      [for query in aws_cloudwatch_metric_alarm.this["maintenance-missing"].metric_query : join(" ", [query.metric[0].namespace, query.metric[0].metric_name, query.metric[0].stat, query.metric[0].period]) if query.id == "runs"] == ["SampleService MaintenanceRuns Sum 86400"]
      && [for query in aws_cloudwatch_metric_alarm.this["maintenance-missing"].metric_query : query.expression if query.return_data == true] == ["FILL(runs, 0)"]
      && aws_cloudwatch_metric_alarm.this["maintenance-missing"].evaluation_periods == 2
      && aws_cloudwatch_metric_alarm.this["maintenance-missing"].comparison_operator == "LessThanThreshold"
      && aws_cloudwatch_metric_alarm.this["maintenance-missing"].threshold == 1
      && aws_cloudwatch_metric_alarm.this["maintenance-missing"].treat_missing_data == "breaching"
    )
    error_message = "Two days without a successful run must raise an alarm, also when no metric comes."
  }

  assert {
    condition = (
      [for query in aws_cloudwatch_metric_alarm.this["report-missing"].metric_query : join(" ", [query.metric[0].namespace, query.metric[0].metric_name, query.metric[0].stat, query.metric[0].period]) if query.id == "reports"] == ["SampleService MonitorReports Sum 86400"]
      && [for query in aws_cloudwatch_metric_alarm.this["report-missing"].metric_query : query.expression if query.return_data == true] == ["FILL(reports, 0)"]
      && aws_cloudwatch_metric_alarm.this["report-missing"].evaluation_periods == 2
      && aws_cloudwatch_metric_alarm.this["report-missing"].comparison_operator == "LessThanThreshold"
      && aws_cloudwatch_metric_alarm.this["report-missing"].threshold == 1
    )
    error_message = "Two days without a report must raise an alarm, also when no metric comes."
  }

  assert {
    condition = { for query in aws_cloudwatch_metric_alarm.this["candidate-disagreement"].metric_query : query.id => join(" ", [query.metric[0].namespace, query.metric[0].metric_name, query.metric[0].stat, query.metric[0].period]) if length(query.metric) > 0 } == {
      disagreements = "SampleService ShadowDisagreements Sum 21600"
      shadows       = "SampleService ShadowPredictions Sum 21600"
    } && [for query in aws_cloudwatch_metric_alarm.this["candidate-disagreement"].metric_query : query.expression if query.return_data == true] == ["IF(shadows >= 20, disagreements / shadows, 0)"] && aws_cloudwatch_metric_alarm.this["candidate-disagreement"].threshold == 0.1 && aws_cloudwatch_metric_alarm.this["candidate-disagreement"].comparison_operator == "GreaterThanThreshold" && aws_cloudwatch_metric_alarm.this["candidate-disagreement"].evaluation_periods == 1
    error_message = "The share of shadows outside the interval must be of six hours, and of twenty at least."
  }

  assert {
    condition     = alltrue([for key, alarm in aws_cloudwatch_metric_alarm.this : strcontains(alarm.alarm_description, "python -m training abort.") if startswith(key, "candidate-")])
    error_message = "The alarms on the candidate must say how a trial ends."
  }

  assert {
    condition = (
      strcontains(aws_cloudwatch_metric_alarm.this["coverage"].alarm_description, "A false alarm comes on average at most once in 10,000 outcomes, if they are reported in the order")
      && strcontains(aws_cloudwatch_metric_alarm.this["drift"].alarm_description, "2 false alarms a year are to be expected.")
    )
    error_message = "The alarms of the monitor must say how often they are false."
  }

  assert {
    condition = { for query in aws_cloudwatch_metric_alarm.this["gateway-5xx"].metric_query : query.id => join(" ", flatten([query.metric[0].namespace, query.metric[0].metric_name, query.metric[0].stat, query.metric[0].period, values(query.metric[0].dimensions)])) if length(query.metric) > 0 } == {
      errors   = "AWS/ApiGateway 5xx Sum 300 api1 $default"
      requests = "AWS/ApiGateway Count Sum 300 api1 $default"
    } && [for query in aws_cloudwatch_metric_alarm.this["gateway-5xx"].metric_query : query.expression if query.return_data == true] == ["FILL(errors, 0) / requests"]
    error_message = "The share of 5xx must relate to the requests of the stage."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["gateway-5xx"].threshold == 0.01 && aws_cloudwatch_metric_alarm.this["gateway-5xx"].comparison_operator == "GreaterThanThreshold" && aws_cloudwatch_metric_alarm.this["gateway-5xx"].evaluation_periods == 1
    error_message = "The default limit must be 1 % of the requests."
  }

  assert {
    condition     = alltrue([for alarm in aws_cloudwatch_metric_alarm.this : can(regex("Runbook: docs/operations.md, \".+\"\\.$", alarm.alarm_description))])
    error_message = "Every alarm must name its runbook."
  }

  assert {
    condition = { for key in ["server-errors", "latency", "queue-age", "dead-letters", "proxy-pinned", "database-cpu", "throttles-replay"] : key => aws_cloudwatch_metric_alarm.this[key].dimensions } == {
      server-errors    = tomap({ service = "sample-test" })
      latency          = tomap({ ApiId = "api1", Stage = "$default" })
      queue-age        = tomap({ QueueName = "sample-test-records" })
      dead-letters     = tomap({ QueueName = "sample-test-dead-letters" })
      proxy-pinned     = tomap({ ProxyName = "sample-test-proxy" })
      database-cpu     = tomap({ DBInstanceIdentifier = "sample-test-database" })
      throttles-replay = tomap({ FunctionName = "sample-test-replay" })
    }
    error_message = "Each alarm must watch this metric."
  }

  assert {
    condition     = aws_sns_topic.alarms.kms_master_key_id == aws_kms_key.alarms.arn && aws_kms_key.alarms.enable_key_rotation && length(aws_sns_topic_subscription.email) == 0
    error_message = "The topic must be encrypted with a rotating key, and have no subscriber by default."
  }

  assert {
    condition     = [for statement in jsondecode(aws_kms_key.alarms.policy).Statement : [statement.Principal, statement.Action]] == [[{ AWS = "arn:aws:iam::123456789012:root" }, "kms:*"], [{ Service = "cloudwatch.amazonaws.com" }, ["kms:Decrypt", "kms:GenerateDataKey*"]]]
    error_message = "Outside the account, only CloudWatch may use the key."
  }

  assert {
    condition = [for statement in jsondecode(aws_sns_topic_policy.alarms.policy).Statement : [statement.Effect, statement.Principal, statement.Action, statement.Resource, statement.Condition]] == [
      ["Allow", { Service = "cloudwatch.amazonaws.com" }, "sns:Publish", aws_sns_topic.alarms.arn, { ArnLike = { "aws:SourceArn" = "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:sample-test-*" }, StringEquals = { "aws:SourceAccount" = "123456789012" } }],
      ["Deny", "*", "sns:Publish", aws_sns_topic.alarms.arn, { Bool = { "aws:SecureTransport" = "false" } }],
    ]
    error_message = "Only alarms of this environment may publish, and only with TLS."
  }

  assert {
    condition = [for widget in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets : "${widget.type} ${widget.x} ${widget.y} ${widget.properties.title}"] == [
      "metric 0 0 Requests at the gateway",
      "metric 12 0 Latency, ms",
      "metric 0 6 Errors and throttles of the functions",
      "metric 12 6 Cold starts and concurrency of the api",
      "metric 0 12 Records by destination",
      "metric 12 12 Outcomes by destination",
      "metric 0 18 Failures of database, replay and model",
      "metric 12 18 Predictions: quantiles of each hundred",
      "metric 0 24 Predictions by model",
      "metric 12 24 Candidate: failures, and ms for a case",
      "metric 0 30 Candidate: share of shadows outside the interval of the answer",
      "metric 12 30 Messages in the queues",
      "metric 0 36 Waiting time of the oldest message, s",
      "metric 12 36 Connections of the proxy",
      "metric 0 42 Connections of the database",
      "metric 12 42 Load of the database: CPU in percent, sessions at work",
      "metric 0 48 Free storage of the database, bytes",
      "metric 12 48 Daily work on the records",
      "metric 0 54 Live error of the current version",
      "metric 12 54 Coverage, and the evidence against it (1 is an alarm)",
      "metric 0 60 Drift: the alarm, and the columns that have moved",
      "metric 12 60 Reports, and the share of outcomes that have come",
      "log 0 66 Failures of the candidate",
      "log 12 66 Initialisation of the api",
      "log 0 72 Model versions that environments loaded",
      "log 12 72 Predictions by version",
    ]
    error_message = "The dashboard must have exactly these widgets at these places."
  }

  assert {
    condition     = jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets[1].properties.metrics[0] == ["AWS/ApiGateway", "Latency", "ApiId", "api1", "Stage", "$default", { stat = "p50", label = "gateway p50" }] && length(jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets[1].properties.metrics) == 6
    error_message = "The dashboard must show percentiles of the latency of the gateway and the service."
  }

  assert {
    condition     = [for widget in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets : [widget.properties.title, widget.properties.stat] if try(widget.properties.period, 300) == 60] == [["Connections of the proxy", "Sum"]]
    error_message = "The connections of the proxy must be the sum over its hosts, each of which sends a value every minute."
  }

  assert {
    condition = [for row in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets[10].properties.metrics : join(" ", [try(row[0].expression, row[1]), try(row[length(row) - 1].visible, true)])] == [
      "disagreements / shadows true", "ShadowDisagreements false", "ShadowPredictions false",
    ]
    error_message = "The dashboard must show the share, and not what it is made of."
  }

  assert {
    condition     = startswith(jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets[23].properties.query, "SOURCE '/aws/lambda/sample-test-api'\n| filter @type = \"REPORT\"")
    error_message = "Initialisation must be read from the REPORT lines."
  }
}

run "mail_and_thresholds" {
  variables {
    alarm_email = "on-call@example.org"
    thresholds  = { latency_p99_ms = 1500 }
  }

  assert {
    condition     = aws_sns_topic_subscription.email[0].endpoint == "on-call@example.org" && aws_sns_topic_subscription.email[0].protocol == "email"
    error_message = "The topic must have the address as a subscriber."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["latency"].threshold == 1500 && aws_cloudwatch_metric_alarm.this["queue-age"].threshold == 900
    error_message = "A given threshold must apply, and the others must keep their defaults."
  }
}

run "share_of_outcomes" {
  variables {
    thresholds = { outcome_share = 0.6 }
  }

  assert {
    condition = (
      [for name in ["metric_name", "statistic", "comparison_operator", "treat_missing_data"] : aws_cloudwatch_metric_alarm.this["outcome-share"][name]] == ["OutcomeShare", "Minimum", "LessThanThreshold", "notBreaching"]
      && aws_cloudwatch_metric_alarm.this["outcome-share"].threshold == 0.6
      && aws_cloudwatch_metric_alarm.this["outcome-share"].period == 86400
    )
    error_message = "With a threshold, an alarm must watch the share of outcomes that have come."
  }
}

run "rejects_values_out_of_range" {
  command = plan
  variables {
    name            = "Sample Test"
    function_names  = { api = "sample-test-api" }
    log_group_names = {}
    alarm_email     = "nobody"
    thresholds      = { latency_p99_ms = -1, server_error_share = 1, database_cpu_percent = 100, outcome_share = 1.5 }
  }
  expect_failures = [var.name, var.function_names, var.log_group_names, var.alarm_email, var.thresholds]
}

run "rejects_a_time_that_is_never_measured" {
  command = plan
  variables {
    thresholds = { candidate_latency_ms = 250 }
  }
  expect_failures = [var.thresholds]
}

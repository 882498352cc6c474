# Runs the daily work of maintain, and an hour later that of monitor. A failed run is repeated twice by Lambda, and by the
# next day's run.
resource "aws_scheduler_schedule" "daily" {
  #checkov:skip=CKV_AWS_297:The schedule contains no secret. EventBridge encrypts it with its own key.
  name        = "${var.name}-daily"
  description = "The daily work of the function maintain"
  # After the end of a day in UTC, which the export waits for, and before the backup of the database.
  schedule_expression = "cron(30 0 * * ? *)"

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = aws_lambda_alias.live["maintain"].arn
    role_arn = aws_iam_role.schedule.arn
    input    = jsonencode({ task = "daily" })

    retry_policy {
      maximum_event_age_in_seconds = 3600
      maximum_retry_attempts       = 10
    }
  }

  depends_on = [aws_iam_role_policy.schedule]
}

resource "aws_scheduler_schedule" "report" {
  #checkov:skip=CKV_AWS_297:The schedule contains no secret. EventBridge encrypts it with its own key.
  name        = "${var.name}-report"
  description = "The daily report of the function monitor"
  # When maintain has most likely ended.
  schedule_expression = "cron(30 1 * * ? *)"

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = aws_lambda_alias.live["monitor"].arn
    role_arn = aws_iam_role.schedule.arn
    input    = jsonencode({ task = "report" })

    retry_policy {
      maximum_event_age_in_seconds = 3600
      maximum_retry_attempts       = 10
    }
  }

  depends_on = [aws_iam_role_policy.schedule]
}

resource "aws_iam_role" "schedule" {
  name        = "${var.name}-schedule"
  description = "EventBridge Scheduler of ${var.name}: invokes maintain and monitor"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = ["sts:AssumeRole"]
      Principal = { Service = "scheduler.amazonaws.com" }
      # Not for schedules of other accounts.
      Condition = { StringEquals = { "aws:SourceAccount" = data.aws_caller_identity.current.account_id } }
    }]
  })
}

resource "aws_iam_role_policy" "schedule" {
  name = "invoke"
  role = aws_iam_role.schedule.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid      = "InvokeDaily"
      Effect   = "Allow"
      Action   = ["lambda:InvokeFunction"]
      Resource = [for key in local.analysing : aws_lambda_alias.live[key].arn]
    }]
  })
}

mock_provider "aws" {
  source = "./tests/mocks"
}

run "daily" {
  assert {
    condition     = [aws_scheduler_schedule.daily.name, aws_scheduler_schedule.daily.schedule_expression, aws_scheduler_schedule.daily.flexible_time_window[0].mode] == ["sample-test-daily", "cron(30 0 * * ? *)", "OFF"]
    error_message = "The work must begin every day at half past midnight in UTC."
  }

  assert {
    condition     = aws_scheduler_schedule.daily.target[0].arn == aws_lambda_alias.live["maintain"].arn && jsondecode(aws_scheduler_schedule.daily.target[0].input) == { task = "daily" } && aws_scheduler_schedule.daily.target[0].role_arn == aws_iam_role.schedule.arn
    error_message = "The schedule must ask the alias live of maintain for the daily work, by a role of its own."
  }

  assert {
    condition     = [aws_scheduler_schedule.report.name, aws_scheduler_schedule.report.schedule_expression, aws_scheduler_schedule.report.flexible_time_window[0].mode] == ["sample-test-report", "cron(30 1 * * ? *)", "OFF"]
    error_message = "The report must be made every day at half past one in UTC."
  }

  assert {
    condition     = aws_scheduler_schedule.report.target[0].arn == aws_lambda_alias.live["monitor"].arn && jsondecode(aws_scheduler_schedule.report.target[0].input) == { task = "report" } && aws_scheduler_schedule.report.target[0].role_arn == aws_iam_role.schedule.arn
    error_message = "The schedule must ask the alias live of monitor for the report, by the role of schedules."
  }

  assert {
    condition = jsondecode(aws_iam_role_policy.schedule.policy).Statement == [{
      Sid      = "InvokeDaily"
      Effect   = "Allow"
      Action   = ["lambda:InvokeFunction"]
      Resource = [aws_lambda_alias.live["maintain"].arn, aws_lambda_alias.live["monitor"].arn]
    }] && aws_iam_role_policy.schedule.role == aws_iam_role.schedule.id
    error_message = "The schedules may invoke maintain and monitor and do nothing else."
  }

  assert {
    condition = jsondecode(aws_iam_role.schedule.assume_role_policy).Statement == [{
      Effect    = "Allow"
      Action    = ["sts:AssumeRole"]
      Principal = { Service = "scheduler.amazonaws.com" }
      Condition = { StringEquals = { "aws:SourceAccount" = "123456789012" } }
    }]
    error_message = "Only EventBridge Scheduler of this account may assume the role."
  }
}

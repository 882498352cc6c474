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

run "api" {
  assert {
    condition = [for statement in jsondecode(aws_iam_role_policy.function["api"].policy).Statement : [statement.Sid, statement.Effect, statement.Action, statement.Resource]] == [
      ["ReadModels", "Allow", ["s3:GetObject"], ["arn:aws:s3:::diabetes-test-models/models/*"]],
      ["ConnectToDatabase", "Allow", ["rds-db:connect"], ["arn:aws:rds-db:eu-west-1:123456789012:dbuser:prx-0123456789abcdef0/diabetes_api"]],
      ["QueueRecords", "Allow", ["sqs:GetQueueAttributes", "sqs:SendMessage"], ["arn:aws:sqs:eu-west-1:123456789012:diabetes-test-records"]],
      ["WriteLogs", "Allow", ["logs:CreateLogStream", "logs:PutLogEvents"], ["arn:aws:logs:eu-west-1:123456789012:log-group:mock:*"]],
      ["AttachToNetwork", "Allow", local.network_actions, ["*"]],
      ["KeepNetworkFromCode", "Deny", local.network_actions, ["*"]],
    ]
    error_message = "The api's rights are others."
  }

  assert {
    condition     = jsondecode(aws_iam_role.function["api"].assume_role_policy).Statement == [{ Effect = "Allow", Action = ["sts:AssumeRole"], Principal = { Service = "lambda.amazonaws.com" } }]
    error_message = "Only Lambda may take the role."
  }

  assert {
    condition     = length(aws_iam_role.function) == 3 && { for key, policy in aws_iam_role_policy.function : key => policy.role } == { for key, role in aws_iam_role.function : key => role.id }
    error_message = "Each function has a role of its own, with its own policy."
  }
}

run "replay" {
  assert {
    condition = [for statement in slice(jsondecode(aws_iam_role_policy.function["replay"].policy).Statement, 0, 3) : [statement.Action, statement.Resource]] == [
      [["rds-db:connect"], ["arn:aws:rds-db:eu-west-1:123456789012:dbuser:prx-0123456789abcdef0/diabetes_replay"]],
      [["sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"], ["arn:aws:sqs:eu-west-1:123456789012:diabetes-test-records"]],
      [["sqs:SendMessage"], ["arn:aws:sqs:eu-west-1:123456789012:diabetes-test-dead-letters"]],
    ]
    error_message = "replay's own rights are others."
  }
}

run "migrate" {
  assert {
    condition = [for statement in slice(jsondecode(aws_iam_role_policy.function["migrate"].policy).Statement, 0, 2) : [statement.Action, statement.Resource]] == [
      [["rds-db:connect"], ["arn:aws:rds-db:eu-west-1:123456789012:dbuser:prx-0123456789abcdef0/master"]],
      [["secretsmanager:GetSecretValue"], [
        "arn:aws:secretsmanager:eu-west-1:123456789012:secret:diabetes_api",
        "arn:aws:secretsmanager:eu-west-1:123456789012:secret:diabetes_replay",
      ]],
    ]
    error_message = "migrate's own rights are others."
  }
}

run "common" {
  assert {
    condition     = { for key, policy in aws_iam_role_policy.function : key => [for statement in jsondecode(policy.policy).Statement : statement.Sid] } == { api = ["ReadModels", "ConnectToDatabase", "QueueRecords", "WriteLogs", "AttachToNetwork", "KeepNetworkFromCode"], replay = ["ConnectToDatabase", "TakeRecords", "BuryMessages", "WriteLogs", "AttachToNetwork", "KeepNetworkFromCode"], migrate = ["ConnectToDatabase", "ReadPasswords", "WriteLogs", "AttachToNetwork", "KeepNetworkFromCode"] }
    error_message = "A function has more or fewer statements."
  }

  assert {
    condition     = local.network_actions == ["ec2:AssignPrivateIpAddresses", "ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets", "ec2:UnassignPrivateIpAddresses"]
    error_message = "The network's actions are others."
  }

  assert {
    condition     = { for key, policy in aws_iam_role_policy.function : key => [for statement in jsondecode(policy.policy).Statement : statement.Condition if statement.Sid == "KeepNetworkFromCode"] } == { for key in ["api", "replay", "migrate"] : key => [{ ArnEquals = { "lambda:SourceFunctionArn" = ["arn:aws:lambda:eu-west-1:123456789012:function:diabetes-test-${key}"] } }] }
    error_message = "The Deny must bind the code of its own function, and not Lambda itself."
  }
}

run "tracing" {
  variables {
    tracing_enabled = true
  }

  assert {
    condition     = alltrue([for policy in aws_iam_role_policy.function : toset(flatten([for statement in jsondecode(policy.policy).Statement : statement.Action if startswith(statement.Sid, "Trace")])) == toset(["xray:PutTelemetryRecords", "xray:PutTraceSegments"])])
    error_message = "A traced function must be able to write traces, and no more."
  }
}

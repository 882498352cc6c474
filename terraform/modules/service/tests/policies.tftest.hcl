mock_provider "aws" {
  source = "./tests/mocks"
}

run "policies" {
  assert {
    condition = [for statement in jsondecode(aws_iam_role_policy.function["api"].policy).Statement : [statement.Sid, statement.Effect, statement.Action, statement.Resource]] == [
      ["ReadModels", "Allow", ["s3:GetObject"], ["arn:aws:s3:::sample-test-models/models/*"]],
      ["ConnectToDatabase", "Allow", ["rds-db:connect"], ["arn:aws:rds-db:eu-west-1:123456789012:dbuser:prx-0123456789abcdef0/sample_api"]],
      ["QueueRecords", "Allow", ["sqs:GetQueueAttributes", "sqs:SendMessage"], ["arn:aws:sqs:eu-west-1:123456789012:sample-test-records"]],
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

  assert {
    condition = [for statement in slice(jsondecode(aws_iam_role_policy.function["replay"].policy).Statement, 0, 3) : [statement.Action, statement.Resource]] == [
      [["rds-db:connect"], ["arn:aws:rds-db:eu-west-1:123456789012:dbuser:prx-0123456789abcdef0/sample_replay"]],
      [["sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"], ["arn:aws:sqs:eu-west-1:123456789012:sample-test-records"]],
      [["sqs:SendMessage"], ["arn:aws:sqs:eu-west-1:123456789012:sample-test-dead-letters"]],
    ]
    error_message = "replay's own rights are others."
  }

  assert {
    condition = [for statement in slice(jsondecode(aws_iam_role_policy.function["migrate"].policy).Statement, 0, 2) : [statement.Action, statement.Resource]] == [
      [["rds-db:connect"], ["arn:aws:rds-db:eu-west-1:123456789012:dbuser:prx-0123456789abcdef0/sample_owner"]],
      [["secretsmanager:GetSecretValue"], [
        "arn:aws:secretsmanager:eu-west-1:123456789012:secret:sample_api",
        "arn:aws:secretsmanager:eu-west-1:123456789012:secret:sample_replay",
      ]],
    ]
    error_message = "migrate's own rights are others."
  }

  assert {
    condition     = { for key, policy in aws_iam_role_policy.function : key => [for statement in jsondecode(policy.policy).Statement : statement.Sid] } == { api = ["ReadModels", "ConnectToDatabase", "QueueRecords", "WriteLogs", "AttachToNetwork", "KeepNetworkFromCode"], replay = ["ConnectToDatabase", "TakeRecords", "DeadLetterMessages", "WriteLogs", "AttachToNetwork", "KeepNetworkFromCode"], migrate = ["ConnectToDatabase", "ReadPasswords", "WriteLogs", "AttachToNetwork", "KeepNetworkFromCode"] }
    error_message = "A function has more or fewer statements."
  }

  assert {
    condition     = local.network_actions == ["ec2:AssignPrivateIpAddresses", "ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets", "ec2:UnassignPrivateIpAddresses"]
    error_message = "The network's actions are others."
  }

  assert {
    condition     = { for key, policy in aws_iam_role_policy.function : key => [for statement in jsondecode(policy.policy).Statement : statement.Condition if statement.Sid == "KeepNetworkFromCode"] } == { for key in ["api", "replay", "migrate"] : key => [{ ArnEquals = { "lambda:SourceFunctionArn" = ["arn:aws:lambda:eu-west-1:123456789012:function:sample-test-${key}"] } }] }
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

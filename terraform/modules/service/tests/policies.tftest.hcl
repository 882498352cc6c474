mock_provider "aws" {
  source = "./tests/mocks"
}

run "policies" {
  assert {
    condition = [for statement in jsondecode(aws_iam_role_policy.function["api"].policy).Statement : [statement.Sid, statement.Effect, statement.Action, statement.Resource]] == [
      ["ReadModels", "Allow", ["s3:GetObject"], ["arn:aws:s3:::sample-test-models/models/*"]],
      ["ReadReport", "Allow", ["s3:GetObject"], ["arn:aws:s3:::sample-test-models/reports/performance.json"]],
      ["ConnectToDatabase", "Allow", ["rds-db:connect"], ["arn:aws:rds-db:eu-west-1:123456789012:dbuser:prx-0123456789abcdef0/sample_api"]],
      ["QueueRecords", "Allow", ["sqs:GetQueueAttributes", "sqs:SendMessage"], ["arn:aws:sqs:eu-west-1:123456789012:sample-test-records"]],
      ["WriteLogs", "Allow", ["logs:CreateLogStream", "logs:PutLogEvents"], ["arn:aws:logs:eu-west-1:123456789012:log-group:mock:*"]],
    ]
    error_message = "The permissions of api must be exactly these."
  }

  assert {
    condition = {
      for key, policy in aws_iam_role_policy.network : key => [
        policy.role,
        [for statement in jsondecode(policy.policy).Statement : [statement.Sid, statement.Effect, statement.Action, statement.Resource]],
      ]
      } == {
      for key, role in aws_iam_role.function : key => [role.id, [
        ["AttachToNetwork", "Allow", local.network_actions, ["*"]],
        ["KeepNetworkFromCode", "Deny", local.network_actions, ["*"]],
      ]]
    }
    error_message = "Lambda alone may attach each function to the network."
  }

  assert {
    condition     = toset(output.network_policy_ids) == toset([for policy in aws_iam_role_policy.network : policy.id])
    error_message = "The network must be able to wait for these policies."
  }

  assert {
    condition     = jsondecode(aws_iam_role.function["api"].assume_role_policy).Statement == [{ Effect = "Allow", Action = ["sts:AssumeRole"], Principal = { Service = "lambda.amazonaws.com" } }]
    error_message = "Only Lambda may assume the role."
  }

  assert {
    condition     = length(aws_iam_role.function) == 5 && { for key, policy in aws_iam_role_policy.function : key => policy.role } == { for key, role in aws_iam_role.function : key => role.id }
    error_message = "Each function must have a separate role and policy."
  }

  assert {
    condition = [for statement in slice(jsondecode(aws_iam_role_policy.function["replay"].policy).Statement, 0, 3) : [statement.Action, statement.Resource]] == [
      [["rds-db:connect"], ["arn:aws:rds-db:eu-west-1:123456789012:dbuser:prx-0123456789abcdef0/sample_replay"]],
      [["sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"], ["arn:aws:sqs:eu-west-1:123456789012:sample-test-records"]],
      [["sqs:SendMessage"], ["arn:aws:sqs:eu-west-1:123456789012:sample-test-dead-letters"]],
    ]
    error_message = "The additional permissions of replay must be exactly these."
  }

  assert {
    condition = [for statement in slice(jsondecode(aws_iam_role_policy.function["migrate"].policy).Statement, 0, 2) : [statement.Action, statement.Resource]] == [
      [["rds-db:connect"], ["arn:aws:rds-db:eu-west-1:123456789012:dbuser:prx-0123456789abcdef0/sample_owner"]],
      [["secretsmanager:GetSecretValue"], [
        "arn:aws:secretsmanager:eu-west-1:123456789012:secret:sample_api",
        "arn:aws:secretsmanager:eu-west-1:123456789012:secret:sample_maintain",
        "arn:aws:secretsmanager:eu-west-1:123456789012:secret:sample_monitor",
        "arn:aws:secretsmanager:eu-west-1:123456789012:secret:sample_replay",
      ]],
    ]
    error_message = "The additional permissions of migrate must be exactly these."
  }

  assert {
    condition = [for statement in slice(jsondecode(aws_iam_role_policy.function["maintain"].policy).Statement, 0, 4) : [statement.Action, statement.Resource]] == [
      [["rds-db:connect"], ["arn:aws:rds-db:eu-west-1:123456789012:dbuser:prx-0123456789abcdef0/sample_maintain"]],
      [["s3:ListBucket", "s3:ListBucketVersions"], ["arn:aws:s3:::sample-test-records"]],
      [["s3:DeleteObject", "s3:DeleteObjectVersion", "s3:GetObject", "s3:GetObjectVersion", "s3:PutObject"], [
        "arn:aws:s3:::sample-test-records/manifests/*",
        "arn:aws:s3:::sample-test-records/outcomes/*",
        "arn:aws:s3:::sample-test-records/predictions/*",
      ]],
      [["sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage", "sqs:SendMessage"], [
        "arn:aws:sqs:eu-west-1:123456789012:sample-test-records",
        "arn:aws:sqs:eu-west-1:123456789012:sample-test-dead-letters",
      ]],
    ]
    error_message = "The additional permissions of maintain must be exactly these."
  }

  assert {
    condition = [for statement in slice(jsondecode(aws_iam_role_policy.function["monitor"].policy).Statement, 0, 3) : [statement.Action, statement.Resource]] == [
      [["rds-db:connect"], ["arn:aws:rds-db:eu-west-1:123456789012:dbuser:prx-0123456789abcdef0/sample_monitor"]],
      [["s3:GetObject"], ["arn:aws:s3:::sample-test-models/models/*"]],
      [["s3:PutObject"], ["arn:aws:s3:::sample-test-models/reports/*"]],
    ]
    error_message = "The additional permissions of monitor must be exactly these."
  }

  assert {
    condition     = { for key, policy in aws_iam_role_policy.function : key => [for statement in jsondecode(policy.policy).Statement : statement.Sid] } == { api = ["ReadModels", "ReadReport", "ConnectToDatabase", "QueueRecords", "WriteLogs"], replay = ["ConnectToDatabase", "TakeRecords", "DeadLetterMessages", "WriteLogs"], migrate = ["ConnectToDatabase", "ReadPasswords", "WriteLogs"], maintain = ["ConnectToDatabase", "FindFiles", "KeepFiles", "SweepQueues", "WriteLogs"], monitor = ["ConnectToDatabase", "ReadModels", "WriteReports", "WriteLogs"] }
    error_message = "Each function must have this number of statements."
  }

  assert {
    condition     = local.network_actions == ["ec2:AssignPrivateIpAddresses", "ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets", "ec2:UnassignPrivateIpAddresses"]
    error_message = "The network actions must be exactly these."
  }

  assert {
    condition     = { for key, policy in aws_iam_role_policy.network : key => [for statement in jsondecode(policy.policy).Statement : statement.Condition if statement.Sid == "KeepNetworkFromCode"] } == { for key in ["api", "replay", "migrate", "maintain", "monitor"] : key => [{ ArnEquals = { "lambda:SourceFunctionArn" = ["arn:aws:lambda:eu-west-1:123456789012:function:sample-test-${key}"] } }] }
    error_message = "The Deny must apply to the code of the function, but not to Lambda itself."
  }
}

run "tracing" {
  variables {
    tracing_enabled = true
  }

  assert {
    condition     = alltrue([for policy in aws_iam_role_policy.function : toset(flatten([for statement in jsondecode(policy.policy).Statement : statement.Action if startswith(statement.Sid, "Trace")])) == toset(["xray:PutTelemetryRecords", "xray:PutTraceSegments"])])
    error_message = "A traced function must get only the permission to write traces."
  }
}

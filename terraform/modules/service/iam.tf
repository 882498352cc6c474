locals {
  function_arns = {
    # Composed from names, because the functions depend on these policies.
    for key in keys(local.timeouts) : key => "arn:${data.aws_partition.current.partition}:lambda:${data.aws_region.current.name}:${data.aws_caller_identity.current.account_id}:function:${var.name}-${key}"
  }

  # The network permissions of AWSLambdaVPCAccessExecutionRole.
  network_actions = [
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
  ]

  database_user_arn_prefix = "arn:${data.aws_partition.current.partition}:rds-db:${data.aws_region.current.name}:${data.aws_caller_identity.current.account_id}:dbuser:${var.proxy_resource_id}"

  own_statements = {
    api = [
      # Without s3:ListBucket, S3 answers AccessDenied instead of NoSuchKey for a missing file. api treats both alike.
      {
        Sid      = "ReadModels"
        Effect   = "Allow"
        Action   = ["s3:GetObject"]
        Resource = ["${var.model_bucket_arn}/models/*"]
      },
      {
        Sid      = "ReadReport"
        Effect   = "Allow"
        Action   = ["s3:GetObject"]
        Resource = ["${var.model_bucket_arn}/reports/performance.json"]
      },
      {
        Sid      = "ConnectToDatabase"
        Effect   = "Allow"
        Action   = ["rds-db:connect"]
        Resource = ["${local.database_user_arn_prefix}/${var.database_user_names.api}"]
      },
      {
        # /health calls GetQueueAttributes.
        Sid      = "QueueRecords"
        Effect   = "Allow"
        Action   = ["sqs:GetQueueAttributes", "sqs:SendMessage"]
        Resource = [aws_sqs_queue.records.arn]
      },
    ]
    replay = [
      {
        Sid      = "ConnectToDatabase"
        Effect   = "Allow"
        Action   = ["rds-db:connect"]
        Resource = ["${local.database_user_arn_prefix}/${var.database_user_names.replay}"]
      },
      {
        Sid      = "TakeRecords"
        Effect   = "Allow"
        Action   = ["sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"]
        Resource = [aws_sqs_queue.records.arn]
      },
      {
        Sid      = "DeadLetterMessages"
        Effect   = "Allow"
        Action   = ["sqs:SendMessage"]
        Resource = [aws_sqs_queue.dead_letters.arn]
      },
    ]
    migrate = [
      {
        Sid      = "ConnectToDatabase"
        Effect   = "Allow"
        Action   = ["rds-db:connect"]
        Resource = ["${local.database_user_arn_prefix}/${var.database_user_names.migrate}"]
      },
      {
        Sid      = "ReadPasswords"
        Effect   = "Allow"
        Action   = ["secretsmanager:GetSecretValue"]
        Resource = values(var.role_secret_arns)
      },
    ]
    maintain = [
      {
        Sid      = "ConnectToDatabase"
        Effect   = "Allow"
        Action   = ["rds-db:connect"]
        Resource = ["${local.database_user_arn_prefix}/${var.database_user_names.maintain}"]
      },
      {
        Sid      = "FindFiles"
        Effect   = "Allow"
        Action   = ["s3:ListBucket", "s3:ListBucketVersions"]
        Resource = [var.records_bucket_arn]
      },
      {
        # An erasure also searches and deletes the old versions of a file.
        Sid    = "KeepFiles"
        Effect = "Allow"
        Action = [
          "s3:DeleteObject", "s3:DeleteObjectVersion", "s3:GetObject", "s3:GetObjectVersion", "s3:PutObject",
        ]
        Resource = [for prefix in ["manifests", "outcomes", "predictions"] : "${var.records_bucket_arn}/${prefix}/*"]
      },
      {
        # An erasure takes records out of the messages that wait.
        Sid    = "SweepQueues"
        Effect = "Allow"
        Action = [
          "sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage",
          "sqs:SendMessage",
        ]
        Resource = [aws_sqs_queue.records.arn, aws_sqs_queue.dead_letters.arn]
      },
    ]
    monitor = [
      {
        Sid      = "ConnectToDatabase"
        Effect   = "Allow"
        Action   = ["rds-db:connect"]
        Resource = ["${local.database_user_arn_prefix}/${var.database_user_names.monitor}"]
      },
      {
        # What each version promised.
        Sid      = "ReadModels"
        Effect   = "Allow"
        Action   = ["s3:GetObject"]
        Resource = ["${var.model_bucket_arn}/models/*"]
      },
      {
        Sid      = "WriteReports"
        Effect   = "Allow"
        Action   = ["s3:PutObject"]
        Resource = ["${var.model_bucket_arn}/reports/*"]
      },
    ]
  }

  tracing_statements = [
    for action in ["xray:PutTelemetryRecords", "xray:PutTraceSegments"] : {
      Sid    = "Trace${trimprefix(action, "xray:Put")}"
      Effect = "Allow"
      Action = [action]
      # X-Ray has no resources to restrict these to.
      Resource = ["*"]
    } if var.tracing_enabled
  ]
}

resource "aws_iam_role" "function" {
  for_each = local.timeouts

  name = "${var.name}-${each.key}"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = ["sts:AssumeRole"]
      Principal = { Service = "lambda.amazonaws.com" }
    }]
  })
}

# Lambda uses the function's role to attach it to the network, and needs it until it has removed the interfaces, which takes
# up to half an hour after the function is gone. So the network depends on this policy and is destroyed before it.
resource "aws_iam_role_policy" "network" {
  for_each = local.timeouts

  name = "network"
  role = aws_iam_role.function[each.key].id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        # Lambda requires these permissions on all resources for a function in a VPC.
        Sid      = "AttachToNetwork"
        Effect   = "Allow"
        Action   = local.network_actions
        Resource = ["*"]
      },
      {
        # The function's code never needs these permissions.
        Sid       = "KeepNetworkFromCode"
        Effect    = "Deny"
        Action    = local.network_actions
        Resource  = ["*"]
        Condition = { ArnEquals = { "lambda:SourceFunctionArn" = [local.function_arns[each.key]] } }
      },
    ]
  })
}

resource "aws_iam_role_policy" "function" {
  for_each = local.functions

  name = "function"
  role = aws_iam_role.function[each.key].id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(local.own_statements[each.key], local.tracing_statements, [
      {
        Sid      = "WriteLogs"
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = ["${aws_cloudwatch_log_group.function[each.key].arn}:*"]
      },
    ])
  })
}

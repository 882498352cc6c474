locals {
  # Permissions of a deployment to an environment. All resource names begin with <prefix>-<environment>, and permissions
  # are restricted to these names where AWS allows it.
  #
  # A deployment writes the policies of the functions' roles, so it can grant these roles any permission. Environments
  # that must not trust each other belong in separate accounts.
  deploy_statements = {
    for environment in var.environments : environment => concat([
      {
        # `terraform init` also lists workspaces under another prefix. The names of the states are not secret.
        Sid      = "FindState"
        Effect   = "Allow"
        Action   = ["s3:ListBucket"]
        Resource = [aws_s3_bucket.state.arn]
      },
      {
        Sid      = "State"
        Effect   = "Allow"
        Action   = ["s3:GetObject", "s3:PutObject"]
        Resource = ["${aws_s3_bucket.state.arn}/${local.state_keys[environment]}"]
      },
      {
        Sid      = "StateLock"
        Effect   = "Allow"
        Action   = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"]
        Resource = ["${aws_s3_bucket.state.arn}/${local.state_keys[environment]}.tflock"]
      },
      {
        Sid      = "RegistryLogin"
        Effect   = "Allow"
        Action   = ["ecr:GetAuthorizationToken"]
        Resource = ["*"]
      },
      {
        Sid    = "Image"
        Effect = "Allow"
        Action = [
          "ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:CompleteLayerUpload", "ecr:DescribeImages",
          "ecr:GetDownloadUrlForLayer", "ecr:GetRepositoryPolicy", "ecr:InitiateLayerUpload", "ecr:PutImage",
          "ecr:UploadLayerPart",
        ]
        Resource = [aws_ecr_repository.this.arn]
      },
      {
        Sid      = "Named"
        Effect   = "Allow"
        Action   = local.named_actions
        Resource = local.named_resources[environment]
      },
      {
        # These create resources without a name that could be known before.
        Sid       = "Unnamed"
        Effect    = "Allow"
        Action    = local.unnamed_actions
        Resource  = ["*"]
        Condition = { StringEquals = { "aws:RequestedRegion" = var.region } }
      },
      {
        # The tunnel of the module network, which is off by default.
        Sid    = "Tunnel"
        Effect = "Allow"
        Action = [
          "ec2:CreateInstanceConnectEndpoint", "ec2:DeleteInstanceConnectEndpoint", "ec2:ModifyInstanceAttribute",
          "ec2:RunInstances", "ec2:TerminateInstances",
        ]
        Resource = ["*"]
        Condition = {
          StringEquals         = { "aws:RequestedRegion" = var.region }
          StringEqualsIfExists = { "ec2:InstanceType" = "t4g.nano" }
        }
      },
      {
        # Like any caller, the smoke test can read only the records of its own predictions.
        Sid      = "SmokeTest"
        Effect   = "Allow"
        Action   = ["execute-api:Invoke"]
        Resource = ["${local.arn}:execute-api:${local.arn_tail}:*"]
      },
      {
        # AWS associates a private hosted zone with the VPC for each interface endpoint. Route 53 is global.
        Sid      = "PrivateNames"
        Effect   = "Allow"
        Action   = ["route53:AssociateVPCWithHostedZone"]
        Resource = ["${local.arn}:route53:::hostedzone/*"]
      },
      {
        Sid    = "Roles"
        Effect = "Allow"
        Action = [
          "iam:CreateRole", "iam:DeleteRole", "iam:DeleteRolePolicy", "iam:GetRole", "iam:GetRolePolicy",
          "iam:ListAttachedRolePolicies", "iam:ListInstanceProfilesForRole", "iam:ListRolePolicies", "iam:PutRolePolicy",
          "iam:TagRole", "iam:UntagRole", "iam:UpdateAssumeRolePolicy", "iam:UpdateRole", "iam:UpdateRoleDescription",
        ]
        Resource = ["${local.arn}:iam::${var.account_id}:role/${local.prefix}-${environment}-*"]
      },
      {
        Sid      = "PassRoles"
        Effect   = "Allow"
        Action   = ["iam:PassRole"]
        Resource = ["${local.arn}:iam::${var.account_id}:role/${local.prefix}-${environment}-*"]
        Condition = {
          StringEquals = {
            "iam:PassedToService" = ["lambda.amazonaws.com", "rds.amazonaws.com", "scheduler.amazonaws.com"]
          }
        }
      },
      {
        # RDS, API Gateway and the endpoint of a tunnel create these when an account first uses them.
        Sid      = "ServiceLinkedRoles"
        Effect   = "Allow"
        Action   = ["iam:CreateServiceLinkedRole"]
        Resource = ["${local.arn}:iam::${var.account_id}:role/aws-service-role/*"]
        Condition = {
          StringEquals = {
            "iam:AWSServiceName" = ["ec2-instance-connect.amazonaws.com", "ops.apigateway.amazonaws.com", "rds.amazonaws.com"]
          }
        }
      },
      ], var.signing_key_arn == null ? [] : [
      {
        # The first model of an environment is published and promoted by its deployment. The bucket is among "Named".
        Sid      = "SignModels"
        Effect   = "Allow"
        Action   = ["kms:Sign", "kms:Verify"]
        Resource = [var.signing_key_arn]
      },
    ])
  }

  # The keys of the backends in terraform/environments.
  state_keys = { for environment in var.environments : environment => "${environment}.tfstate" }

  named_actions = [
    "cloudwatch:DeleteAlarms", "cloudwatch:DeleteDashboards", "cloudwatch:GetDashboard", "cloudwatch:ListTagsForResource",
    "cloudwatch:PutDashboard", "cloudwatch:PutMetricAlarm", "cloudwatch:TagResource", "cloudwatch:UntagResource",
    "athena:*", "events:*", "glue:*Database", "glue:*Table", "glue:*agResource", "glue:GetPartitionIndexes", "glue:GetTags",
    "lambda:*", "logs:*", "rds:*", "s3:*", "scheduler:*", "secretsmanager:*", "sns:*", "sqs:*", "ssm:GetParameter",
  ]

  named_resources = {
    for environment in var.environments : environment => [
      for resource in [
        "athena:${local.arn_tail}:workgroup/${local.prefix}-${environment}",
        "cloudwatch:${local.arn_tail}:alarm:${local.prefix}-${environment}-*",
        "cloudwatch::${var.account_id}:dashboard/${local.prefix}-${environment}*",
        "events:${local.arn_tail}:rule/${local.prefix}-${environment}-*",
        # A database and its tables are of the account's catalog, which has no name.
        "glue:${local.arn_tail}:catalog",
        "glue:${local.arn_tail}:database/${local.prefix}_${environment}",
        "glue:${local.arn_tail}:table/${local.prefix}_${environment}/*",
        "glue:${local.arn_tail}:userDefinedFunction/${local.prefix}_${environment}/*",
        "lambda:${local.arn_tail}:function:${local.prefix}-${environment}-*",
        # Has an id instead of a name, and is tagged when created.
        "lambda:${local.arn_tail}:event-source-mapping:*",
        "logs:${local.arn_tail}:log-group:/aws/*/${local.prefix}-${environment}*",
        "rds:${local.arn_tail}:*:${local.prefix}-${environment}*",
        # RDS puts the instance into a default option group.
        "rds:${local.arn_tail}:og:default:*",
        # The proxy and its target group have ids instead of names.
        "rds:${local.arn_tail}:db-proxy:*",
        "rds:${local.arn_tail}:target-group:*",
        "s3:::${local.prefix}-${environment}-*",
        "scheduler:${local.arn_tail}:schedule/default/${local.prefix}-${environment}-*",
        "secretsmanager:${local.arn_tail}:secret:${local.prefix}-${environment}-*",
        "sns:${local.arn_tail}:${local.prefix}-${environment}-*",
        "sqs:${local.arn_tail}:${local.prefix}-${environment}-*",
        # AWS's own: the image of the tunnel's host.
        "ssm:${var.region}::parameter/aws/service/ami-amazon-linux-latest/*",
      ] : "${local.arn}:${resource}"
    ]
  }

  unnamed_actions = [
    "apigateway:*", "cloudwatch:DescribeAlarms", "cloudwatch:GetMetricStatistics", "ec2:AssociateRouteTable",
    "ec2:AuthorizeSecurityGroup*", "ec2:CreateRouteTable", "ec2:CreateSecurityGroup", "ec2:CreateSubnet",
    "ec2:CreateTags", "ec2:CreateVpc", "ec2:CreateVpcEndpoint", "ec2:DeleteNetworkInterface", "ec2:DeleteRouteTable",
    "ec2:DeleteSecurityGroup", "ec2:DeleteSubnet", "ec2:DeleteTags", "ec2:DeleteVpc", "ec2:DeleteVpcEndpoints",
    "ec2:Describe*", "ec2:DetachNetworkInterface", "ec2:DisassociateRouteTable", "ec2:GetSecurityGroupsForVpc",
    "ec2:ModifySecurityGroupRules", "ec2:ModifySubnetAttribute", "ec2:ModifyVpcAttribute", "ec2:ModifyVpcEndpoint",
    "ec2:RevokeSecurityGroup*", "kms:CreateGrant", "kms:CreateKey", "kms:DescribeKey", "kms:EnableKeyRotation",
    "kms:GetKey*", "kms:ListResourceTags", "kms:PutKeyPolicy", "kms:ScheduleKeyDeletion", "kms:TagResource",
    "kms:UntagResource", "kms:UpdateKeyDescription", "lambda:*EventSourceMapping*", "lambda:GetAccountSettings",
    "lambda:ListTags", "logs:*LogDeliver*", "logs:DescribeLogGroups", "logs:DescribeResourcePolicies",
    "logs:PutResourcePolicy", "rds:Describe*", "rds:ListTagsForResource", "secretsmanager:CreateSecret",
    "secretsmanager:GetRandomPassword", "secretsmanager:TagResource",
  ]
}

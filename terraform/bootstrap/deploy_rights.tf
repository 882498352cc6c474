locals {
  # What a deployment to an environment may do. All that it makes is called <project>-<environment>…, and where AWS lets
  # a right be bound to names, it is.
  #
  # The limit of this: who may write the policies of the functions' roles can give these roles any right. Environments
  # that must not trust each other belong in accounts of their own.
  deploy_statements = {
    for environment in var.environments : environment => [
      {
        # `terraform init` also looks for workspaces, under another prefix. The names of the states are no secret.
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
        # These name what they make only afterwards, or not at all.
        Sid       = "Unnamed"
        Effect    = "Allow"
        Action    = local.unnamed_actions
        Resource  = ["*"]
        Condition = { StringEquals = { "aws:RequestedRegion" = var.region } }
      },
      {
        # The smoke test is a caller like others: it sees the records of its own predictions alone.
        Sid      = "SmokeTest"
        Effect   = "Allow"
        Action   = ["execute-api:Invoke"]
        Resource = ["${local.arn}:execute-api:${local.arn_tail}:*"]
      },
      {
        # Of the zones by which AWS makes an interface endpoint known in its VPC. Route 53 is in no region.
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
        Resource = ["${local.arn}:iam::${var.account_id}:role/${var.name}-${environment}-*"]
      },
      {
        Sid      = "PassRoles"
        Effect   = "Allow"
        Action   = ["iam:PassRole"]
        Resource = ["${local.arn}:iam::${var.account_id}:role/${var.name}-${environment}-*"]
        Condition = {
          StringEquals = {
            "iam:PassedToService" = ["lambda.amazonaws.com", "rds.amazonaws.com"]
          }
        }
      },
      {
        # RDS and API Gateway make these when an account first uses them.
        Sid      = "ServiceLinkedRoles"
        Effect   = "Allow"
        Action   = ["iam:CreateServiceLinkedRole"]
        Resource = ["${local.arn}:iam::${var.account_id}:role/aws-service-role/*"]
        Condition = {
          StringEquals = {
            "iam:AWSServiceName" = ["ops.apigateway.amazonaws.com", "rds.amazonaws.com"]
          }
        }
      },
    ]
  }

  # As in the backend of terraform/environments.
  state_keys = { for environment in var.environments : environment => "${environment}.tfstate" }

  named_actions = [
    "cloudwatch:DeleteAlarms", "cloudwatch:DeleteDashboards", "cloudwatch:GetDashboard", "cloudwatch:ListTagsForResource",
    "cloudwatch:PutDashboard", "cloudwatch:PutMetricAlarm", "cloudwatch:TagResource", "cloudwatch:UntagResource",
    "events:*", "lambda:*", "logs:*", "rds:*", "s3:*", "secretsmanager:*", "sns:*", "sqs:*",
  ]

  named_resources = {
    for environment in var.environments : environment => [
      for resource in [
        "cloudwatch:${local.arn_tail}:alarm:${var.name}-${environment}-*",
        "cloudwatch::${var.account_id}:dashboard/${var.name}-${environment}*",
        "events:${local.arn_tail}:rule/${var.name}-${environment}-*",
        "lambda:${local.arn_tail}:function:${var.name}-${environment}-*",
        # Has an id in place of a name, and is tagged when it is made.
        "lambda:${local.arn_tail}:event-source-mapping:*",
        "logs:${local.arn_tail}:log-group:/aws/*/${var.name}-${environment}*",
        "rds:${local.arn_tail}:*:${var.name}-${environment}*",
        # An instance without an option group of its own is made in the one that RDS keeps.
        "rds:${local.arn_tail}:og:default:*",
        # The proxy and its target group have ids in place of names.
        "rds:${local.arn_tail}:db-proxy:*",
        "rds:${local.arn_tail}:target-group:*",
        "s3:::${var.name}-${environment}-*",
        "secretsmanager:${local.arn_tail}:secret:${var.name}-${environment}-*",
        "sns:${local.arn_tail}:${var.name}-${environment}-*",
        "sqs:${local.arn_tail}:${var.name}-${environment}-*",
      ] : "${local.arn}:${resource}"
    ]
  }

  unnamed_actions = [
    "apigateway:*", "cloudwatch:DescribeAlarms", "ec2:AssociateRouteTable", "ec2:AuthorizeSecurityGroup*",
    "ec2:CreateRouteTable", "ec2:CreateSecurityGroup", "ec2:CreateSubnet", "ec2:CreateTags", "ec2:CreateVpc",
    "ec2:CreateVpcEndpoint", "ec2:DeleteRouteTable", "ec2:DeleteSecurityGroup", "ec2:DeleteSubnet", "ec2:DeleteTags",
    "ec2:DeleteVpc", "ec2:DeleteVpcEndpoints", "ec2:Describe*", "ec2:DisassociateRouteTable", "ec2:GetSecurityGroupsForVpc",
    "ec2:ModifySecurityGroupRules", "ec2:ModifySubnetAttribute", "ec2:ModifyVpcAttribute", "ec2:ModifyVpcEndpoint",
    "ec2:RevokeSecurityGroup*", "kms:CreateGrant", "kms:CreateKey", "kms:DescribeKey", "kms:EnableKeyRotation",
    "kms:GetKey*", "kms:ListResourceTags", "kms:PutKeyPolicy", "kms:ScheduleKeyDeletion", "kms:TagResource",
    "kms:UntagResource", "kms:UpdateKeyDescription", "lambda:*EventSourceMapping*", "lambda:ListTags",
    "logs:*LogDeliver*", "logs:DescribeLogGroups", "logs:DescribeResourcePolicies", "logs:PutResourcePolicy",
    "rds:Describe*", "rds:ListTagsForResource", "secretsmanager:CreateSecret", "secretsmanager:GetRandomPassword",
    "secretsmanager:TagResource",
  ]
}

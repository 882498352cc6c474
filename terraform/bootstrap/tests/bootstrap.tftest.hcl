# Plans alone: prevent_destroy would keep an applied test from clearing up.
mock_provider "aws" {
  override_during = plan

  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }

  override_resource {
    target = aws_s3_bucket.state
    values = { arn = "arn:aws:s3:::diabetes-states" }
  }

  override_resource {
    target = aws_ecr_repository.this
    values = { arn = "arn:aws:ecr:eu-west-1:123456789012:repository/diabetes" }
  }

  override_resource {
    target = aws_iam_openid_connect_provider.github
    values = { arn = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com" }
  }
}

variables {
  account_id        = "123456789012"
  region            = "eu-west-1"
  github_repository = "owner/diabetes-ml"
  environments      = ["dev", "staging"]
}

run "states_are_private_and_keep_versions" {
  command = plan

  assert {
    condition = (
      aws_s3_bucket_public_access_block.state.block_public_acls
      && aws_s3_bucket_public_access_block.state.block_public_policy
      && aws_s3_bucket_public_access_block.state.ignore_public_acls
      && aws_s3_bucket_public_access_block.state.restrict_public_buckets
      && one(aws_s3_bucket_ownership_controls.state.rule).object_ownership == "BucketOwnerEnforced"
    )
    error_message = "Public access must be blocked in all four ways."
  }

  assert {
    condition = (
      one(aws_s3_bucket_versioning.state.versioning_configuration).status == "Enabled"
      && [
        for rule in aws_s3_bucket_server_side_encryption_configuration.state.rule :
        one(rule.apply_server_side_encryption_by_default).sse_algorithm
      ] == ["AES256"]
    )
    error_message = "States must be encrypted and keep their versions."
  }

  assert {
    condition = jsondecode(aws_s3_bucket_policy.state.policy).Statement == [{
      Sid       = "TlsOnly"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:*"
      Resource  = ["arn:aws:s3:::diabetes-states", "arn:aws:s3:::diabetes-states/*"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
    error_message = "Everything without TLS must be refused, and nothing be allowed by the bucket."
  }

  assert {
    condition     = aws_s3_bucket.state.force_destroy != true
    error_message = "States must not be destroyed with their bucket."
  }
}

run "images_never_change_and_lambda_may_pull_them" {
  command = plan

  assert {
    condition = (
      aws_ecr_repository.this.image_tag_mutability == "IMMUTABLE"
      && one(aws_ecr_repository.this.image_scanning_configuration).scan_on_push
    )
    error_message = "Tags must not move, and every image be scanned."
  }

  assert {
    condition = [
      for rule in jsondecode(aws_ecr_lifecycle_policy.this.policy).rules :
      [rule.selection.tagStatus, rule.selection.countType, rule.selection.countNumber, rule.action.type]
      ] == [
      ["untagged", "sinceImagePushed", 14, "expire"],
      ["any", "imageCountMoreThan", 100, "expire"],
    ]
    error_message = "Images without a tag must go after 14 days, and others beyond the newest hundred."
  }

  assert {
    condition = jsondecode(aws_ecr_repository_policy.this.policy).Statement == [{
      Sid       = "LambdaPulls"
      Effect    = "Allow"
      Principal = { Service = "lambda.amazonaws.com" }
      Action    = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
      Condition = {
        StringEquals = { "aws:SourceAccount" = "123456789012" }
        ArnLike      = { "aws:SourceArn" = "arn:aws:lambda:eu-west-1:123456789012:function:diabetes-*" }
      }
    }]
    error_message = "Lambda may pull for the project's functions, and nobody else may do anything."
  }
}

run "gives_out_what_deployments_need" {
  command = plan

  assert {
    condition     = output.state_bucket_name == "diabetes-states-123456789012"
    error_message = "The bucket must be named."
  }

  assert {
    condition     = keys(output.deploy_role_arns) == ["dev", "staging"]
    error_message = "Each environment must have its role."
  }
}

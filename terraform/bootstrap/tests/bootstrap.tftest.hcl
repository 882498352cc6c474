# Only plans: prevent_destroy would prevent the cleanup after an apply.
mock_provider "aws" {
  source          = "./tests/mocks"
  override_during = plan
}

run "states_and_images" {
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
      Resource  = ["arn:aws:s3:::sample-states", "arn:aws:s3:::sample-states/*"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
    error_message = "The bucket policy must refuse requests without TLS, and allow nothing."
  }

  assert {
    condition     = aws_s3_bucket.state.force_destroy != true
    error_message = "The bucket with the states must not be destroyed."
  }

  assert {
    condition = (
      aws_ecr_repository.this.image_tag_mutability == "IMMUTABLE"
      && one(aws_ecr_repository.this.image_scanning_configuration).scan_on_push
    )
    error_message = "Tags must be immutable, and every image must be scanned."
  }

  assert {
    condition = [
      for rule in jsondecode(aws_ecr_lifecycle_policy.this.policy).rules :
      [rule.selection.tagStatus, rule.selection.countType, rule.selection.countNumber, rule.action.type]
      ] == [
      ["untagged", "sinceImagePushed", 14, "expire"],
      ["any", "imageCountMoreThan", 200, "expire"],
    ]
    error_message = "Untagged images must expire after 14 days, others when there are more than two hundred."
  }

  assert {
    condition = jsondecode(aws_ecr_repository_policy.this.policy).Statement == [{
      Sid       = "LambdaPulls"
      Effect    = "Allow"
      Principal = { Service = "lambda.amazonaws.com" }
      Action    = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
      Condition = {
        ArnLike = { "aws:SourceArn" = "arn:aws:lambda:eu-west-1:123456789012:function:${local.prefix}-*" }
      }
    }]
    error_message = "The repository policy must allow only pulls by Lambda for the project's functions."
  }

  assert {
    condition     = output.state_bucket_name == "${local.prefix}-states-123456789012"
    error_message = "The output must name the bucket."
  }

  assert {
    condition     = keys(output.deploy_role_arns) == ["dev", "staging"]
    error_message = "The output must have a role for each environment."
  }
}

run "rejects_invalid_values" {
  command = plan
  expect_failures = [
    var.account_id,
    var.region,
    var.images_kept,
    var.github_repository,
    var.github_ids,
    var.github_oidc_provider_arn,
    var.environments,
    var.signing_key_arn,
  ]

  variables {
    account_id               = "12345"
    region                   = "eu-west-1a"
    images_kept              = 1
    github_repository        = "owner/*"
    github_ids               = { owner = 1.5, repository = 0 }
    github_oidc_provider_arn = "arn:aws:iam::123456789012:oidc-provider/example.com"
    environments             = []
    signing_key_arn          = "arn:aws:kms:eu-west-1:123456789012:alias/models"
  }
}

run "rejects_an_environment_that_is_a_pattern" {
  command         = plan
  expect_failures = [var.environments]

  variables {
    environments = ["*"]
  }
}

run "rejects_an_environment_named_like_the_state_bucket" {
  command         = plan
  expect_failures = [var.environments]

  variables {
    environments = ["dev", "states"]
  }
}

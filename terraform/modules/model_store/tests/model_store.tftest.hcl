mock_provider "aws" {
  override_resource {
    target = aws_s3_bucket.this
    values = { arn = "arn:aws:s3:::sample-dev-models" }
  }
}

variables {
  name                    = "sample-dev-models"
  noncurrent_version_days = 30
  force_destroy           = false
}

run "bucket" {
  assert {
    condition = (
      aws_s3_bucket_public_access_block.this.block_public_acls
      && aws_s3_bucket_public_access_block.this.block_public_policy
      && aws_s3_bucket_public_access_block.this.ignore_public_acls
      && aws_s3_bucket_public_access_block.this.restrict_public_buckets
    )
    error_message = "Public access must be blocked in all four ways."
  }

  assert {
    condition     = one(aws_s3_bucket_ownership_controls.this.rule).object_ownership == "BucketOwnerEnforced"
    error_message = "The bucket's owner must own every object."
  }

  assert {
    condition     = one(aws_s3_bucket_versioning.this.versioning_configuration).status == "Enabled"
    error_message = "The bucket must keep versions."
  }

  assert {
    condition = [
      for rule in aws_s3_bucket_server_side_encryption_configuration.this.rule :
      one(rule.apply_server_side_encryption_by_default).sse_algorithm
    ] == ["AES256"]
    error_message = "The bucket must encrypt."
  }

  assert {
    condition = jsondecode(aws_s3_bucket_policy.this.policy).Statement == [
      {
        Sid       = "TlsOnly"
        Effect    = "Deny"
        Principal = "*"
        Action    = "s3:*"
        Resource  = ["arn:aws:s3:::sample-dev-models", "arn:aws:s3:::sample-dev-models/*"]
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
      {
        Sid       = "NobodyDeletesHistory"
        Effect    = "Deny"
        Principal = "*"
        Action    = ["s3:DeleteObject", "s3:DeleteObjectVersion"]
        Resource  = "arn:aws:s3:::sample-dev-models/models/history/*"
      },
      {
        Sid       = "NobodyReplacesHistory"
        Effect    = "Deny"
        Principal = "*"
        Action    = "s3:PutObject"
        Resource  = "arn:aws:s3:::sample-dev-models/models/history/*"
        Condition = { Null = { "s3:if-none-match" = "true" } }
      },
    ]
    error_message = "The bucket policy must refuse requests without TLS and changes of the history, and allow nothing."
  }

  assert {
    condition     = !aws_s3_bucket.this.object_lock_enabled && length(aws_s3_bucket_object_lock_configuration.this) == 0
    error_message = "By default there must be no Object Lock."
  }

  assert {
    condition     = !aws_s3_bucket.this.force_destroy
    error_message = "By default, a bucket with models must not be destroyed."
  }

  assert {
    condition = {
      for rule in aws_s3_bucket_lifecycle_configuration.this.rule : rule.id => [
        rule.status,
        [for expiration in rule.noncurrent_version_expiration : expiration.noncurrent_days],
        [for upload in rule.abort_incomplete_multipart_upload : upload.days_after_initiation],
      ]
      } == {
      old-versions       = ["Enabled", [30], []]
      incomplete-uploads = ["Enabled", [], [7]]
    }
    error_message = "Old versions must expire after the given days, and incomplete uploads after seven."
  }

  assert {
    condition = alltrue(flatten([
      for rule in aws_s3_bucket_lifecycle_configuration.this.rule :
      [for expiration in rule.expiration : expiration.expired_object_delete_marker && expiration.date == null]
    ]))
    error_message = "No current object may expire."
  }

  assert {
    condition = (
      output.bucket_name == "sample-dev-models" && output.bucket_arn == "arn:aws:s3:::sample-dev-models"
    )
    error_message = "The outputs must name the bucket."
  }
}

run "can_be_thrown_away" {
  variables {
    force_destroy = true
  }

  assert {
    condition     = aws_s3_bucket.this.force_destroy
    error_message = "With force_destroy, the bucket must be destroyed with its models."
  }
}

run "publishers_and_lock" {
  variables {
    publisher_role_arns = ["arn:aws:iam::123456789012:role/Publisher"]
    object_lock         = { mode = "GOVERNANCE", days = 365 }
  }

  assert {
    condition = jsondecode(aws_s3_bucket_policy.this.policy).Statement[3] == {
      Sid       = "PublishersOnly"
      Effect    = "Deny"
      Principal = "*"
      Action    = ["s3:PutObject", "s3:DeleteObject", "s3:DeleteObjectVersion"]
      Resource  = ["arn:aws:s3:::sample-dev-models/models/current.json", "arn:aws:s3:::sample-dev-models/models/history/*"]
      Condition = { ArnNotEquals = { "aws:PrincipalArn" = ["arn:aws:iam::123456789012:role/Publisher"] } }
    }
    error_message = "Only the publishers may write the pointer and the history."
  }

  assert {
    condition = (
      aws_s3_bucket.this.object_lock_enabled
      && one(one(one(aws_s3_bucket_object_lock_configuration.this).rule).default_retention).mode == "GOVERNANCE"
      && one(one(one(aws_s3_bucket_object_lock_configuration.this).rule).default_retention).days == 365
    )
    error_message = "With object_lock, the bucket must keep every version for the given days."
  }
}

run "rejects_invalid_values" {
  command         = plan
  expect_failures = [var.name, var.noncurrent_version_days, var.publisher_role_arns, var.object_lock]

  variables {
    name                    = "sample.models"
    noncurrent_version_days = 0
    publisher_role_arns     = ["arn:aws:sts::123456789012:assumed-role/Publisher/anna"]
    object_lock             = { mode = "FOREVER", days = 1 }
  }
}

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
    condition = jsondecode(aws_s3_bucket_policy.this.policy).Statement == [{
      Sid       = "TlsOnly"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:*"
      Resource  = ["arn:aws:s3:::sample-dev-models", "arn:aws:s3:::sample-dev-models/*"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
    error_message = "The bucket policy must refuse requests without TLS, and allow nothing."
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

run "rejects_invalid_values" {
  command         = plan
  expect_failures = [var.name, var.noncurrent_version_days]

  variables {
    name                    = "sample.models"
    noncurrent_version_days = 0
  }
}

# The states of all environments of the account. To store the state of bootstrap here too, give it a backend "s3" with
# the key bootstrap.tfstate and use_lockfile, and run
#   terraform init -migrate-state -backend-config=bucket=… -backend-config=region=…
resource "aws_s3_bucket" "state" {
  #checkov:skip=CKV_AWS_18:CloudTrail can record access. A bucket for logs would need the same protection.
  #checkov:skip=CKV_AWS_144:Versions protect from mistakes, and the environments are in the same region.
  #checkov:skip=CKV_AWS_145:The states contain no secrets, and the roles restrict who can read them.
  #checkov:skip=CKV2_AWS_62:Nothing reacts to changes of a state.
  # deploy/ composes the same name. Bucket names are unique across all AWS accounts.
  bucket = "${local.prefix}-states-${var.account_id}"

  lifecycle {
    prevent_destroy = true

    precondition {
      condition     = can(regex("^[a-z][a-z0-9]{1,19}$", local.prefix))
      error_message = "The prefix in problem/project.json must be 2 to 20 lower-case letters and digits, with a letter first."
    }
  }
}

resource "aws_s3_bucket_versioning" "state" {
  bucket = aws_s3_bucket.state.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "state" {
  bucket = aws_s3_bucket.state.id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_ownership_controls" "state" {
  bucket = aws_s3_bucket.state.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_public_access_block" "state" {
  bucket = aws_s3_bucket.state.id

  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_policy" "state" {
  bucket = aws_s3_bucket.state.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "TlsOnly"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:*"
      Resource  = [aws_s3_bucket.state.arn, "${aws_s3_bucket.state.arn}/*"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })

  # S3 rejects concurrent changes of a bucket's access.
  depends_on = [aws_s3_bucket_public_access_block.state]
}

resource "aws_s3_bucket_lifecycle_configuration" "state" {
  bucket = aws_s3_bucket.state.id

  rule {
    id     = "old-versions"
    status = "Enabled"

    filter {}

    # Long enough to notice a broken state. Each run also leaves an old version of the lock file.
    noncurrent_version_expiration {
      noncurrent_days = 90
    }

    expiration {
      expired_object_delete_marker = true
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }

  # Rules about old versions need versioning.
  depends_on = [aws_s3_bucket_versioning.state]
}

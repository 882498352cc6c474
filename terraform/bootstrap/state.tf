# The states of all environments of the account, and afterwards this one's too: give it a backend "s3" with the key
# bootstrap.tfstate and use_lockfile, and run
#   terraform init -migrate-state -backend-config=bucket=… -backend-config=region=…
resource "aws_s3_bucket" "state" {
  #checkov:skip=CKV_AWS_18:CloudTrail tells who touched a state; a second bucket for logs would need the same care.
  #checkov:skip=CKV_AWS_144:Versions protect against mistakes; a region that is gone takes the environments along.
  #checkov:skip=CKV_AWS_145:States hold no secrets here, and who may read them is decided by the roles.
  #checkov:skip=CKV2_AWS_62:Nothing waits for a state to change.
  # What deployments expect. Names of buckets are shared by all accounts of the world.
  bucket = "${var.name}-states-${var.account_id}"

  lifecycle {
    prevent_destroy = true
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

  # S3 refuses two changes of a bucket's access at once.
  depends_on = [aws_s3_bucket_public_access_block.state]
}

resource "aws_s3_bucket_lifecycle_configuration" "state" {
  bucket = aws_s3_bucket.state.id

  rule {
    id     = "old-versions"
    status = "Enabled"

    filter {}

    # Long enough to notice a broken state. Lock files leave old versions too, one for each run.
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

  # Rules about old versions presuppose them.
  depends_on = [aws_s3_bucket_versioning.state]
}

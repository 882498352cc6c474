# The model registry: models/<version>/…, written once, and the pointer models/current.json. Conditional writes protect
# it from concurrent publishers and need no resources here.

locals {
  pointer_arn = "${aws_s3_bucket.this.arn}/models/current.json"
  history_arn = "${aws_s3_bucket.this.arn}/models/history/*"
}

resource "aws_s3_bucket" "this" {
  #checkov:skip=CKV_AWS_18:The only reader is a function with its own log, and models contain no rows of the data.
  #checkov:skip=CKV_AWS_144:Training can repeat a model from its seed.
  #checkov:skip=CKV_AWS_145:Models are not secret, and S3's own key saves a call to KMS in every cold start.
  #checkov:skip=CKV2_AWS_62:The functions check for a new version themselves.
  bucket        = var.name
  force_destroy = var.force_destroy

  # Only a new bucket can have it.
  object_lock_enabled = var.object_lock != null
}

# So that an overwritten pointer and a deleted version can be restored.
resource "aws_s3_bucket_versioning" "this" {
  bucket = aws_s3_bucket.this.id

  versioning_configuration {
    status = "Enabled"
  }
}

# For every object of the bucket: S3 has no default for a part of it.
resource "aws_s3_bucket_object_lock_configuration" "this" {
  count = var.object_lock == null ? 0 : 1

  bucket = aws_s3_bucket.this.id

  rule {
    default_retention {
      mode = var.object_lock.mode
      days = var.object_lock.days
    }
  }

  depends_on = [aws_s3_bucket_versioning.this]
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_ownership_controls" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_public_access_block" "this" {
  bucket = aws_s3_bucket.this.id

  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_policy" "this" {
  bucket = aws_s3_bucket.this.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat([
      {
        Sid       = "TlsOnly"
        Effect    = "Deny"
        Principal = "*"
        Action    = "s3:*"
        Resource  = [aws_s3_bucket.this.arn, "${aws_s3_bucket.this.arn}/*"]
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
      {
        Sid       = "NobodyDeletesHistory"
        Effect    = "Deny"
        Principal = "*"
        Action    = ["s3:DeleteObject", "s3:DeleteObjectVersion"]
        Resource  = local.history_arn
      },
      {
        # A write without If-None-Match could replace an entry.
        Sid       = "NobodyReplacesHistory"
        Effect    = "Deny"
        Principal = "*"
        Action    = "s3:PutObject"
        Resource  = local.history_arn
        Condition = { Null = { "s3:if-none-match" = "true" } }
      },
      ], length(var.publisher_role_arns) == 0 ? [] : [
      {
        Sid       = "PublishersOnly"
        Effect    = "Deny"
        Principal = "*"
        Action    = ["s3:PutObject", "s3:DeleteObject", "s3:DeleteObjectVersion"]
        Resource  = [local.pointer_arn, local.history_arn]
        Condition = { ArnNotEquals = { "aws:PrincipalArn" = var.publisher_role_arns } }
      },
    ])
  })

  # S3 rejects concurrent changes of a bucket's access.
  depends_on = [aws_s3_bucket_public_access_block.this]
}

resource "aws_s3_bucket_lifecycle_configuration" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    id     = "old-versions"
    status = "Enabled"

    # All objects. Current versions never expire, because only people know which models are still needed.
    filter {}

    noncurrent_version_expiration {
      noncurrent_days = var.noncurrent_version_days
    }

    # Remove delete markers whose old versions are gone.
    expiration {
      expired_object_delete_marker = true
    }
  }

  rule {
    id     = "incomplete-uploads"
    status = "Enabled"

    filter {}

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }

  # Rules about old versions need versioning.
  depends_on = [aws_s3_bucket_versioning.this]
}

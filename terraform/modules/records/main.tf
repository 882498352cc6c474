# The exported records: predictions/model_version=…/date=…/part-….parquet, outcomes/date=…/part-….parquet, and a manifest of
# each day in manifests/predictions/ and manifests/outcomes/. catalog.tf has what queries need.

resource "aws_s3_bucket" "this" {
  #checkov:skip=CKV_AWS_18:Data events of CloudTrail tell who reads, for the whole account and not for one bucket.
  #checkov:skip=CKV_AWS_144:Health data stays in its region, and S3 keeps it in three zones.
  #checkov:skip=CKV_AWS_145:Who may read the bucket is decided by IAM. A key of its own would be readable to the same roles.
  #checkov:skip=CKV2_AWS_62:Nothing waits for a file.
  bucket        = var.bucket_name
  force_destroy = var.force_destroy
}

# So that an overwritten or deleted file can be restored. An erasure deletes the old versions too.
resource "aws_s3_bucket_versioning" "this" {
  bucket = aws_s3_bucket.this.id

  versioning_configuration {
    status = "Enabled"
  }
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
    Statement = [{
      Sid       = "TlsOnly"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:*"
      Resource  = [aws_s3_bucket.this.arn, "${aws_s3_bucket.this.arn}/*"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })

  # S3 rejects concurrent changes of a bucket's access.
  depends_on = [aws_s3_bucket_public_access_block.this]
}

resource "aws_s3_bucket_lifecycle_configuration" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    id     = "old-versions"
    status = "Enabled"

    # All objects. Current versions never expire, because the files are what remains of a month that was dropped.
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

  rule {
    id     = "archive-predictions"
    status = "Enabled"

    filter {
      prefix = "predictions/"
    }

    # Read at once like the others, a fifth of the price, and kept for another 90 days at least.
    transition {
      days          = 90
      storage_class = "GLACIER_IR"
    }
  }

  rule {
    id     = "archive-outcomes"
    status = "Enabled"

    filter {
      prefix = "outcomes/"
    }

    transition {
      days          = 90
      storage_class = "GLACIER_IR"
    }
  }

  # An erasure does not search the results of queries, so they must not last.
  rule {
    id     = "query-results"
    status = "Enabled"

    filter {
      prefix = local.results_prefix
    }

    expiration {
      days = 1
    }

    noncurrent_version_expiration {
      noncurrent_days = 1
    }
  }

  # Rules about old versions need versioning.
  depends_on = [aws_s3_bucket_versioning.this]
}

# The registry of models: models/<version>/…, written once, and models/current.json, which names the version that is
# served. S3's conditional writes keep two publishers apart; nothing of that needs setting up here.

resource "aws_s3_bucket" "this" {
  #checkov:skip=CKV_AWS_18:The one reader is a function with logs of its own, and models hold nothing of a patient.
  #checkov:skip=CKV_AWS_144:A model is trained again from the same seed; a copy in another region would be no backup of data.
  #checkov:skip=CKV_AWS_145:S3's own key is enough for what is no secret, and spares every cold start a call to KMS.
  #checkov:skip=CKV2_AWS_62:Functions look for a new version themselves.
  bucket        = var.name
  force_destroy = var.force_destroy
}

# A pointer that was moved and a version that was deleted can be had back.
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

  # S3 refuses two changes of a bucket's access at once.
  depends_on = [aws_s3_bucket_public_access_block.this]
}

resource "aws_s3_bucket_lifecycle_configuration" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    id     = "old-versions"
    status = "Enabled"

    # All objects. What is current never expires: only people know which model is not needed any more.
    filter {}

    noncurrent_version_expiration {
      noncurrent_days = var.noncurrent_version_days
    }

    # What a deletion leaves when its old versions are gone.
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

  # Rules about old versions presuppose them.
  depends_on = [aws_s3_bucket_versioning.this]
}

output "bucket_name" {
  description = "The bucket, as MODEL_BUCKET takes it."
  value       = aws_s3_bucket.this.bucket
}

output "bucket_arn" {
  description = "The bucket, as policies name it."
  value       = aws_s3_bucket.this.arn
}

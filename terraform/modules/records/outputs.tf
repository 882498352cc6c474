output "bucket_name" {
  description = "Name of the bucket, for RECORDS_BUCKET."
  value       = aws_s3_bucket.this.bucket
}

output "bucket_arn" {
  description = "ARN of the bucket."
  value       = aws_s3_bucket.this.arn
}

output "query_database_name" {
  description = "Name of the database in the catalog, for queries by Athena."
  value       = aws_glue_catalog_database.this.name
}

output "query_workgroup_name" {
  description = "Name of the workgroup of Athena."
  value       = aws_athena_workgroup.this.name
}

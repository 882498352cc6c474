output "state_bucket_name" {
  description = "Name of the state bucket, for -backend-config=bucket=… of the environments."
  value       = aws_s3_bucket.state.bucket
}

output "repository_url" {
  description = "URL of the image repository."
  value       = aws_ecr_repository.this.repository_url
}

output "deploy_role_arns" {
  description = "ARN of the role of each environment's deployment."
  value       = { for environment, role in aws_iam_role.deploy : environment => role.arn }
}

output "state_bucket_name" {
  description = "For -backend-config=bucket=… of the environments."
  value       = aws_s3_bucket.state.bucket
}

output "repository_url" {
  description = "Where the image is pushed to."
  value       = aws_ecr_repository.this.repository_url
}

output "deploy_role_arns" {
  description = "Role of each environment, for the workflow that deploys it."
  value       = { for environment, role in aws_iam_role.deploy : environment => role.arn }
}

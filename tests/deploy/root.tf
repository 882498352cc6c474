# In place of main.tf and outputs.tf of an environment: what a deployment deals with, and what moto makes in seconds.
# The backend, the variables and the provider's version are the environment's own.
provider "aws" {
  region              = var.region
  allowed_account_ids = [var.account_id]
  s3_use_path_style   = true
}

resource "aws_s3_bucket" "models" {
  bucket        = "diabetes-${local.environment}-models-${var.account_id}"
  force_destroy = local.force_destroy
}

# Stands for the database: RDS too, with the same protection, and made at once.
resource "aws_rds_global_cluster" "this" {
  global_cluster_identifier = "diabetes-${local.environment}"
  engine                    = "aurora-postgresql"
  deletion_protection       = local.deletion_protection
}

resource "aws_iam_role" "this" {
  name = "diabetes-${local.environment}"

  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "lambda.amazonaws.com" } }]
  })
}

resource "aws_lambda_function" "this" {
  for_each = toset(["api", "migrate"])

  function_name = "diabetes-${local.environment}-${each.key}"
  role          = aws_iam_role.this.arn
  package_type  = "Image"
  image_uri     = var.image_uri
  publish       = true

  image_config {
    command = ["lambda_app.handler.${each.key}"]
  }
}

resource "aws_lambda_alias" "live" {
  for_each = aws_lambda_function.this

  name             = "live"
  function_name    = each.value.function_name
  function_version = each.value.version
}

output "api_url" {
  value = "API_URL"
}

output "model_bucket_name" {
  value = aws_s3_bucket.models.bucket
}

output "function_names" {
  value = { for key, function in aws_lambda_function.this : key => function.function_name }
}

# Replaces main.tf and outputs.tf of terraform/modules/environment: what a deployment uses, and what moto makes in seconds.
locals {
  name = "${var.project.prefix}-${var.environment}"
}

resource "aws_s3_bucket" "models" {
  bucket        = "${local.name}-models-${var.account_id}"
  force_destroy = var.settings.force_destroy
}

# In place of the database: also of RDS, with the same protection, and created at once.
resource "aws_rds_global_cluster" "this" {
  global_cluster_identifier = local.name
  engine                    = "aurora-postgresql"
  deletion_protection       = var.settings.deletion_protection

  # moto forgets a global cluster's tags.
  lifecycle {
    ignore_changes = [tags_all]
  }
}

resource "aws_iam_role" "this" {
  name = local.name

  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "lambda.amazonaws.com" } }]
  })
}

resource "aws_lambda_function" "this" {
  for_each = toset(["api", "migrate", "maintain"])

  function_name = "${local.name}-${each.key}"
  role          = aws_iam_role.this.arn
  package_type  = "Image"
  image_uri     = each.key == "maintain" ? var.analyse_image_uri : var.image_uri
  publish       = true

  reserved_concurrent_executions = var.settings.api_reserved_concurrency

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

output "custom_domain_target" { value = null }
output "records_bucket_name" { value = null }
output "query_database_name" { value = null }
output "query_workgroup_name" { value = null }
output "tunnel" { value = null }
output "queue_url" { value = null }
output "dead_letter_queue_url" { value = null }
output "dashboard_name" { value = null }
output "topic_arn" { value = null }

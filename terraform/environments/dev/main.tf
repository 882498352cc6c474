# Development: small, cheap, and safe to destroy.
terraform {
  # terraform/bootstrap makes the bucket. Pass its name and region with -backend-config.
  backend "s3" {
    key          = "dev.tfstate"
    encrypt      = true
    use_lockfile = true
  }
}

variable "account_id" {
  description = "AWS account of this environment. The provider refuses credentials of any other."
  type        = string
}

variable "region" {
  description = "AWS region of this environment."
  type        = string
}

variable "image_uri" {
  description = "Image of the functions in ECR, by digest."
  type        = string
}

variable "analyse_image_uri" {
  description = "Image analyse in ECR, by digest, for the functions maintain and monitor."
  type        = string
}

locals {
  project  = jsondecode(file("${path.module}/../../../problem/project.json"))
  features = jsondecode(file("${path.module}/../../../problem/columns.json"))
}

provider "aws" {
  region              = var.region
  allowed_account_ids = [var.account_id]

  default_tags {
    tags = { Project = local.project.name, Environment = "dev", ManagedBy = "terraform" }
  }
}

module "environment" {
  source = "../../modules/environment"

  project     = local.project
  environment = "dev"
  account_id  = var.account_id
  region      = var.region
  features    = local.features

  image_uri         = var.image_uri
  analyse_image_uri = var.analyse_image_uri

  settings = {
    vpc_cidr                 = "10.20.0.0/20"
    instance_class           = "db.t4g.micro"
    max_allocated_storage_gb = 50
    multi_az                 = false
    backup_retention_days    = 1
    deletion_protection      = false
    skip_final_snapshot      = true
    retention_months         = 3
    noncurrent_version_days  = 7
    force_destroy            = true
    memory_mb                = 1024
    throttle_rate            = 10
    throttle_burst           = 20
    log_retention_days       = 14
    tracing_enabled          = true
    # Slow first requests after a quiet night should not raise an alarm.
    thresholds = { latency_p99_ms = 10000 }
  }
}

output "api_url" { value = module.environment.api_url }
output "custom_domain_target" { value = module.environment.custom_domain_target }
output "model_bucket_name" { value = module.environment.model_bucket_name }
output "function_names" { value = module.environment.function_names }
output "queue_url" { value = module.environment.queue_url }
output "dead_letter_queue_url" { value = module.environment.dead_letter_queue_url }
output "records_bucket_name" { value = module.environment.records_bucket_name }
output "query_database_name" { value = module.environment.query_database_name }
output "query_workgroup_name" { value = module.environment.query_workgroup_name }
output "tunnel" { value = module.environment.tunnel }
output "dashboard_name" { value = module.environment.dashboard_name }
output "topic_arn" { value = module.environment.topic_arn }

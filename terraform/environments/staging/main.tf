# Staging: a smaller prod for rehearsals, failover included.
terraform {
  # terraform/bootstrap makes the bucket. Pass its name and region with -backend-config.
  backend "s3" {
    key          = "staging.tfstate"
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
    tags = { Project = local.project.name, Environment = "staging", ManagedBy = "terraform" }
  }
}

module "environment" {
  source = "../../modules/environment"

  project     = local.project
  environment = "staging"
  account_id  = var.account_id
  region      = var.region
  features    = local.features

  image_uri         = var.image_uri
  analyse_image_uri = var.analyse_image_uri

  settings = {
    vpc_cidr                 = "10.20.16.0/20"
    instance_class           = "db.t4g.small"
    max_allocated_storage_gb = 100
    backup_retention_days    = 7
    deletion_protection      = false
    skip_final_snapshot      = true
    noncurrent_version_days  = 30
    api_reserved_concurrency = 20
    keep_warm_schedule       = "rate(5 minutes)"
    throttle_rate            = 50
    throttle_burst           = 100
    log_retention_days       = 30
    tracing_enabled          = true
    thresholds               = { database_connections = 120 }
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

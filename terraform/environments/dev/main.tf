# The same in every environment, by links to these files; what differs is in environment.tf.
provider "aws" {
  region              = var.region
  allowed_account_ids = [var.account_id]

  default_tags {
    tags = {
      Project     = "diabetes-ml"
      Environment = local.environment
      ManagedBy   = "terraform"
    }
  }
}

locals {
  name              = "diabetes-${local.environment}"
  metrics_namespace = "DiabetesMl"
}

module "network" {
  source = "../../modules/network"

  name               = local.name
  vpc_cidr           = local.vpc_cidr
  availability_zones = ["${var.region}a", "${var.region}b"]
}

module "database" {
  source = "../../modules/database"

  name                         = local.name
  subnet_ids                   = module.network.private_subnet_ids
  database_security_group_id   = module.network.database_security_group_id
  proxy_security_group_id      = module.network.proxy_security_group_id
  instance_class               = local.instance_class
  allocated_storage_gb         = local.allocated_storage_gb
  max_allocated_storage_gb     = local.max_allocated_storage_gb
  multi_az                     = local.multi_az
  backup_retention_days        = local.backup_retention_days
  deletion_protection          = local.deletion_protection
  skip_final_snapshot          = local.skip_final_snapshot
  performance_insights_enabled = true
  log_retention_days           = local.log_retention_days
  secret_version               = var.secret_version
}

module "model_store" {
  source = "../../modules/model_store"

  # Names of buckets are shared by all accounts of the world.
  name                    = "${local.name}-models-${var.account_id}"
  noncurrent_version_days = local.noncurrent_version_days
  force_destroy           = local.force_destroy
}

module "service" {
  source = "../../modules/service"

  name                       = local.name
  image_uri                  = var.image_uri
  subnet_ids                 = module.network.private_subnet_ids
  function_security_group_id = module.network.function_security_group_id
  model_bucket_name          = module.model_store.bucket_name
  model_bucket_arn           = module.model_store.bucket_arn
  model_runtime              = "litert"
  model_refresh_seconds      = local.model_refresh_seconds
  pages_enabled              = local.pages_enabled
  database_name              = module.database.database_name
  database_port              = module.database.database_port
  proxy_endpoint             = module.database.proxy_endpoint
  proxy_resource_id          = module.database.proxy_resource_id
  master_user_name           = module.database.master_user_name
  role_secret_arns           = module.database.role_secret_arns
  memory_mb                  = local.memory_mb
  api_reserved_concurrency   = local.api_reserved_concurrency
  replay_concurrency         = local.replay_concurrency
  provisioned_concurrency    = local.provisioned_concurrency
  keep_warm_schedule         = local.keep_warm_schedule
  log_level                  = local.log_level
  log_retention_days         = local.log_retention_days
  metrics_namespace          = local.metrics_namespace
  tracing_enabled            = local.tracing_enabled
  jwt                        = local.jwt
  throttle_rate              = local.throttle_rate
  throttle_burst             = local.throttle_burst
  custom_domain              = local.custom_domain
}

module "observability" {
  source = "../../modules/observability"

  name                   = local.name
  metrics_namespace      = local.metrics_namespace
  service_name           = module.service.service_name
  function_names         = module.service.function_names
  log_group_names        = module.service.log_group_names
  api_id                 = module.service.api_id
  stage_name             = module.service.stage_name
  queue_name             = module.service.queue_name
  dead_letter_queue_name = module.service.dead_letter_queue_name
  proxy_name             = module.database.proxy_name
  instance_identifier    = module.database.instance_identifier
  alarm_email            = var.alarm_email
  thresholds             = local.thresholds
}

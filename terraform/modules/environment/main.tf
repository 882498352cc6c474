# One environment: network, database, stores of models and records, service, and what observes them.

locals {
  name = "${var.project.prefix}-${var.environment}"
  # The name in title case without hyphens, as in lambda_app/project.py.
  metrics_namespace = join("", [for word in split("-", var.project.name) : title(word)])
}

module "network" {
  source = "../network"

  name               = local.name
  vpc_cidr           = var.settings.vpc_cidr
  availability_zones = var.settings.availability_zones
  # The functions need the network, but their roles' policies do not, so this is no cycle.
  network_policy_ids = module.service.network_policy_ids
  tunnel_enabled     = var.settings.tunnel_enabled
}

module "database" {
  source = "../database"

  name                         = local.name
  project                      = var.project
  subnet_ids                   = module.network.private_subnet_ids
  database_security_group_id   = module.network.database_security_group_id
  proxy_security_group_id      = module.network.proxy_security_group_id
  instance_class               = var.settings.instance_class
  allocated_storage_gb         = var.settings.allocated_storage_gb
  max_allocated_storage_gb     = var.settings.max_allocated_storage_gb
  multi_az                     = var.settings.multi_az
  backup_retention_days        = var.settings.backup_retention_days
  deletion_protection          = var.settings.deletion_protection
  skip_final_snapshot          = var.settings.skip_final_snapshot
  performance_insights_enabled = true
  log_retention_days           = var.settings.log_retention_days
  secret_version               = var.settings.secret_version
}

module "model_store" {
  source = "../model_store"

  # Bucket names are unique across all AWS accounts.
  name                    = "${local.name}-models-${var.account_id}"
  noncurrent_version_days = var.settings.noncurrent_version_days
  force_destroy           = var.settings.force_destroy
  publisher_role_arns     = var.settings.publisher_role_arns
  object_lock             = var.settings.model_object_lock
}

module "records" {
  source = "../records"

  name                    = local.name
  bucket_name             = "${local.name}-records-${var.account_id}"
  features                = var.features
  noncurrent_version_days = var.settings.noncurrent_version_days
  force_destroy           = var.settings.force_destroy
}

module "service" {
  source = "../service"

  name                        = local.name
  image_uri                   = var.image_uri
  analyse_image_uri           = var.analyse_image_uri
  subnet_ids                  = module.network.private_subnet_ids
  function_security_group_id  = module.network.function_security_group_id
  model_bucket_name           = module.model_store.bucket_name
  model_bucket_arn            = module.model_store.bucket_arn
  records_bucket_name         = module.records.bucket_name
  records_bucket_arn          = module.records.bucket_arn
  retention_months            = var.settings.retention_months
  idempotency_days            = var.settings.idempotency_days
  monitor_window_days         = var.settings.monitor_window_days
  coverage_tolerance          = var.settings.coverage_tolerance
  drift_false_alarms_per_year = var.settings.drift_false_alarms_per_year
  model_refresh_seconds       = var.settings.model_refresh_seconds
  candidate_max_ms            = var.settings.candidate_max_ms
  pages_enabled               = var.settings.pages_enabled
  database_name               = module.database.database_name
  database_port               = module.database.database_port
  database_storage_gb         = var.settings.max_allocated_storage_gb
  database_user_names         = module.database.database_user_names
  proxy_endpoint              = module.database.proxy_endpoint
  proxy_resource_id           = module.database.proxy_resource_id
  role_secret_arns            = module.database.role_secret_arns
  memory_mb                   = var.settings.memory_mb
  api_reserved_concurrency    = var.settings.api_reserved_concurrency
  replay_concurrency          = var.settings.replay_concurrency
  provisioned_concurrency     = var.settings.provisioned_concurrency
  keep_warm_schedule          = var.settings.keep_warm_schedule
  log_level                   = var.settings.log_level
  log_retention_days          = var.settings.log_retention_days
  metrics_namespace           = local.metrics_namespace
  tracing_enabled             = var.settings.tracing_enabled
  jwt                         = var.settings.jwt
  throttle_rate               = var.settings.throttle_rate
  throttle_burst              = var.settings.throttle_burst
  custom_domain               = var.settings.custom_domain
}

module "observability" {
  source = "../observability"

  name                        = local.name
  metrics_namespace           = local.metrics_namespace
  service_name                = module.service.service_name
  function_names              = module.service.function_names
  log_group_names             = module.service.log_group_names
  api_id                      = module.service.api_id
  stage_name                  = module.service.stage_name
  queue_name                  = module.service.queue_name
  dead_letter_queue_name      = module.service.dead_letter_queue_name
  proxy_name                  = module.database.proxy_name
  instance_identifier         = module.database.instance_identifier
  alarm_email                 = var.settings.alarm_email
  drift_false_alarms_per_year = var.settings.drift_false_alarms_per_year
  candidate_max_ms            = var.settings.candidate_max_ms
  thresholds                  = var.settings.thresholds
}

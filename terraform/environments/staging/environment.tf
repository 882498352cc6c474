# Everything in which this environment differs from the others. It is made like prod, smaller, to rehearse in.
terraform {
  # The bucket is the one of terraform/bootstrap, by -backend-config.
  backend "s3" {
    key          = "staging.tfstate"
    region       = "eu-west-1"
    encrypt      = true
    use_lockfile = true
  }
}

locals {
  environment = "staging"
  vpc_cidr    = "10.20.16.0/20"

  instance_class           = "db.t4g.small"
  allocated_storage_gb     = 20
  max_allocated_storage_gb = 100
  # A failover is among what is rehearsed.
  multi_az              = true
  backup_retention_days = 7
  deletion_protection   = false
  skip_final_snapshot   = true

  noncurrent_version_days = 30
  force_destroy           = false

  memory_mb                = 1769
  api_reserved_concurrency = 20
  replay_concurrency       = 2
  provisioned_concurrency  = 0
  keep_warm_schedule       = "rate(5 minutes)"
  throttle_rate            = 50
  throttle_burst           = 100
  pages_enabled            = true
  model_refresh_seconds    = 60

  # Callers sign with IAM.
  jwt           = null
  custom_domain = null

  log_level          = "INFO"
  log_retention_days = 30
  tracing_enabled    = true
  thresholds         = { database_connections = 120 }
}

# Everything in which this environment differs from the others. Its records must outlive every mistake.
terraform {
  # The bucket is the one of terraform/bootstrap, by -backend-config.
  backend "s3" {
    key          = "prod.tfstate"
    region       = "eu-west-1"
    encrypt      = true
    use_lockfile = true
  }
}

locals {
  environment = "prod"
  vpc_cidr    = "10.20.32.0/20"

  instance_class           = "db.m7g.large"
  allocated_storage_gb     = 100
  max_allocated_storage_gb = 1000
  multi_az                 = true
  # The longest that RDS keeps automatic backups.
  backup_retention_days = 35
  deletion_protection   = true
  skip_final_snapshot   = false

  noncurrent_version_days = 365
  force_destroy           = false

  # All of one CPU.
  memory_mb                = 1769
  api_reserved_concurrency = 100
  replay_concurrency       = 5
  # Replaces the keep-warm schedule, which keeps no more than one.
  provisioned_concurrency = 2
  keep_warm_schedule      = null
  throttle_rate           = 200
  throttle_burst          = 400
  pages_enabled           = false
  model_refresh_seconds   = 60

  # Callers sign with IAM.
  jwt           = null
  custom_domain = null

  log_level          = "INFO"
  log_retention_days = 365
  tracing_enabled    = false
  thresholds = {
    latency_p99_ms       = 2000
    database_connections = 500
    # A tenth of what the storage begins with.
    database_free_bytes = 10737418240
  }
}

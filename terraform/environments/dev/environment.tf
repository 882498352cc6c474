# Everything in which this environment differs from the others. It costs little, and can be thrown away.
terraform {
  # The bucket is the one of terraform/bootstrap, by -backend-config.
  backend "s3" {
    key          = "dev.tfstate"
    region       = "eu-west-1"
    encrypt      = true
    use_lockfile = true
  }
}

locals {
  environment = "dev"
  vpc_cidr    = "10.20.0.0/20"

  instance_class           = "db.t4g.micro"
  allocated_storage_gb     = 20
  max_allocated_storage_gb = 50
  multi_az                 = false
  backup_retention_days    = 1
  deletion_protection      = false
  skip_final_snapshot      = true

  noncurrent_version_days = 7
  force_destroy           = true

  memory_mb                = 1024
  api_reserved_concurrency = 10
  replay_concurrency       = 2
  provisioned_concurrency  = 0
  keep_warm_schedule       = null
  throttle_rate            = 10
  throttle_burst           = 20
  pages_enabled            = true
  model_refresh_seconds    = 60

  # Callers sign with IAM.
  jwt           = null
  custom_domain = null

  log_level          = "INFO"
  log_retention_days = 14
  tracing_enabled    = true
  # Nobody works here at night: slow first requests are no reason for an alarm.
  thresholds = { latency_p99_ms = 10000 }
}

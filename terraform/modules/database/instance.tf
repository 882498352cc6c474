locals {
  database_name   = "diabetes"
  port            = 5432
  master_username = "diabetes_owner"

  # Values of measurements must not come into a log, and neither must a password that ALTER ROLE sets. Lines about
  # connections, locks and errors stay; what is slow is in Performance Insights and pg_stat_statements.
  parameters = {
    "rds.force_ssl"                     = "1"
    "password_encryption"               = "scram-sha-256"
    "log_connections"                   = "1"
    "log_disconnections"                = "1"
    "log_lock_waits"                    = "1"
    "log_statement"                     = "none"
    "log_min_duration_statement"        = "-1"
    "log_parameter_max_length"          = "0"
    "log_parameter_max_length_on_error" = "0"
    # No DETAIL lines, which quote a refused row, …
    "log_error_verbosity" = "terse"
    # … and no STATEMENT lines.
    "log_min_error_statement" = "panic"
    # Only SELECT and the like have their constants removed; utility statements would be kept with the password in them.
    "pg_stat_statements.track_utility" = "0"
  }
}

resource "aws_db_subnet_group" "this" {
  name        = var.name
  description = "Private subnets of ${var.name}"
  subnet_ids  = var.subnet_ids
}

resource "aws_db_parameter_group" "this" {
  # A new major version needs a group of another family beside the old one, before the instance can change over.
  name_prefix = "${var.name}-"
  description = "TLS required; logs without values"
  family      = "postgres${split(".", var.engine_version)[0]}"

  dynamic "parameter" {
    for_each = local.parameters

    content {
      name  = parameter.key
      value = parameter.value
    }
  }

  lifecycle {
    create_before_destroy = true
  }
}

# RDS and its proxy would make these groups themselves, and theirs keep everything for ever.
resource "aws_cloudwatch_log_group" "instance" {
  #checkov:skip=CKV_AWS_158:CloudWatch encrypts with a key of its own where the caller brings none.
  #checkov:skip=CKV_AWS_338:How long is the caller's decision; no line here is part of the audit record.
  for_each = toset(["postgresql", "upgrade"])

  name              = "/aws/rds/instance/${var.name}/${each.key}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

resource "aws_db_instance" "this" {
  #checkov:skip=CKV_AWS_118:Performance Insights and CloudWatch's own metrics answer what the runbook asks.
  #checkov:skip=CKV_AWS_157:A standby in a second zone is the caller's decision.
  #checkov:skip=CKV_AWS_293:Deletion protection is the caller's decision.
  #checkov:skip=CKV_AWS_353:Performance Insights is the caller's decision.
  #checkov:skip=CKV_AWS_354:Performance Insights is encrypted with the key that AWS manages where the caller brings none.
  #checkov:skip=CKV2_AWS_30:Statements hold measurements and are not logged on purpose.
  #checkov:skip=CKV2_AWS_69:rds.force_ssl is among the parameters above, which the check does not look into.
  identifier     = var.name
  engine         = "postgres"
  engine_version = var.engine_version
  instance_class = var.instance_class

  storage_type          = "gp3"
  allocated_storage     = var.allocated_storage_gb
  max_allocated_storage = var.max_allocated_storage_gb
  storage_encrypted     = true
  kms_key_id            = var.kms_key_arn

  db_name  = local.database_name
  port     = local.port
  username = local.master_username
  # RDS makes the password, keeps it in a secret and rotates it; Terraform never sees it.
  manage_master_user_password         = true
  master_user_secret_kms_key_id       = var.kms_key_arn
  iam_database_authentication_enabled = true

  db_subnet_group_name   = aws_db_subnet_group.this.name
  vpc_security_group_ids = [var.database_security_group_id]
  publicly_accessible    = false
  multi_az               = var.multi_az
  parameter_group_name   = aws_db_parameter_group.this.name
  ca_cert_identifier     = "rds-ca-rsa2048-g1"

  backup_retention_period   = var.backup_retention_days
  backup_window             = "02:00-03:00"
  copy_tags_to_snapshot     = true
  deletion_protection       = var.deletion_protection
  skip_final_snapshot       = var.skip_final_snapshot
  final_snapshot_identifier = var.skip_final_snapshot ? null : "${var.name}-final"
  # Whoever wants a final snapshot wants the days before it too.
  delete_automated_backups = var.skip_final_snapshot

  maintenance_window          = "sun:03:30-sun:04:30"
  auto_minor_version_upgrade  = true
  allow_major_version_upgrade = false
  # Changes that restart the instance wait for the window; the queue takes the records meanwhile.
  apply_immediately = false

  enabled_cloudwatch_logs_exports = keys(aws_cloudwatch_log_group.instance)
  performance_insights_enabled    = var.performance_insights_enabled
  performance_insights_kms_key_id = var.performance_insights_enabled ? var.kms_key_arn : null
}

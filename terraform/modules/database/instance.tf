locals {
  # The roles of the functions for which the proxy has a separate password.
  role_names      = { for function in ["api", "replay", "maintain", "monitor"] : function => "${var.project.prefix}_${function}" }
  master_username = "${var.project.prefix}_owner"

  # Neither feature values nor the passwords that ALTER ROLE sets may reach a log. The log keeps lines about
  # connections, locks and errors. Performance Insights and pg_stat_statements show slow statements.
  changed_parameters = {
    "log_connections"          = "1"
    "log_disconnections"       = "1"
    "log_lock_waits"           = "1"
    "log_parameter_max_length" = "0"
    # Omit DETAIL lines, which quote a refused row,
    "log_error_verbosity" = "terse"
    # and STATEMENT lines.
    "log_min_error_statement" = "panic"
    # pg_stat_statements removes constants from queries but not from utility statements such as ALTER ROLE.
    "pg_stat_statements.track_utility" = "0"
  }
  # These are PostgreSQL's or RDS's defaults, written down because the data relies on them. RDS reports a default as
  # pending-reboot, so with another apply_method each plan would show a difference.
  default_parameters = {
    "rds.force_ssl"                     = "1"
    "password_encryption"               = "scram-sha-256"
    "log_statement"                     = "none"
    "log_min_duration_statement"        = "-1"
    "log_parameter_max_length_on_error" = "0"
  }
}

resource "aws_db_subnet_group" "this" {
  name        = var.name
  description = "Private subnets of ${var.name}"
  subnet_ids  = var.subnet_ids
}

resource "aws_db_parameter_group" "this" {
  # For a new major version, the group of the new family must exist before the instance moves to it.
  name_prefix = "${var.name}-"
  description = "TLS required; no values in logs"
  family      = "postgres${split(".", var.engine_version)[0]}"

  dynamic "parameter" {
    for_each = merge(local.changed_parameters, local.default_parameters)

    content {
      name         = parameter.key
      value        = parameter.value
      apply_method = contains(keys(local.default_parameters), parameter.key) ? "pending-reboot" : "immediate"
    }
  }

  lifecycle {
    create_before_destroy = true
  }
}

# RDS and its proxy would otherwise create these groups without a retention.
resource "aws_cloudwatch_log_group" "instance" {
  #checkov:skip=CKV_AWS_158:CloudWatch encrypts with its own key unless the caller passes one.
  #checkov:skip=CKV_AWS_338:The caller sets the retention. The audit record is in the table, not in the logs.
  for_each = toset(["postgresql", "upgrade"])

  name              = "/aws/rds/instance/${var.name}/${each.key}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

resource "aws_db_instance" "this" {
  #checkov:skip=CKV_AWS_118:The runbook needs only Performance Insights and the metrics of CloudWatch.
  #checkov:skip=CKV_AWS_133:The validation of backup_retention_days requires at least one day, which the check does not resolve.
  #checkov:skip=CKV_AWS_157:The caller decides about a standby in a second zone.
  #checkov:skip=CKV_AWS_293:The caller decides about deletion protection.
  #checkov:skip=CKV_AWS_353:The caller decides about Performance Insights.
  #checkov:skip=CKV_AWS_354:AWS encrypts Performance Insights with its own key unless the caller passes one.
  #checkov:skip=CKV2_AWS_30:Statements contain health data and must not be logged.
  #checkov:skip=CKV2_AWS_69:The parameters above set rds.force_ssl, which the check does not read.
  identifier     = var.name
  engine         = "postgres"
  engine_version = var.engine_version
  instance_class = var.instance_class

  storage_type          = "gp3"
  allocated_storage     = var.allocated_storage_gb
  max_allocated_storage = var.max_allocated_storage_gb
  storage_encrypted     = true
  kms_key_id            = var.kms_key_arn

  db_name  = var.project.prefix
  port     = 5432
  username = local.master_username
  # RDS creates the password, keeps it in a secret and rotates it. Terraform never sees it.
  manage_master_user_password         = true
  master_user_secret_kms_key_id       = var.kms_key_arn
  iam_database_authentication_enabled = true

  db_subnet_group_name   = aws_db_subnet_group.this.name
  vpc_security_group_ids = [var.database_security_group_id]
  publicly_accessible    = false
  multi_az               = var.multi_az
  parameter_group_name   = aws_db_parameter_group.this.name
  ca_cert_identifier     = "rds-ca-rsa2048-g1"

  backup_retention_period = var.backup_retention_days
  backup_window           = "02:00-03:00"
  copy_tags_to_snapshot   = true
  deletion_protection     = var.deletion_protection
  skip_final_snapshot     = var.skip_final_snapshot
  # A name for each instance, because the snapshot of an earlier one may still exist.
  final_snapshot_identifier = "${var.name}-final-${formatdate("YYYYMMDDhhmmss", plantimestamp())}"
  # Keep the automated backups together with the final snapshot.
  delete_automated_backups = var.skip_final_snapshot

  maintenance_window          = "sun:03:30-sun:04:30"
  auto_minor_version_upgrade  = true
  allow_major_version_upgrade = false
  # Changes that restart the instance wait for the maintenance window. The queue takes the records meanwhile.
  apply_immediately = false

  enabled_cloudwatch_logs_exports = keys(aws_cloudwatch_log_group.instance)
  performance_insights_enabled    = var.performance_insights_enabled
  performance_insights_kms_key_id = var.performance_insights_enabled ? var.kms_key_arn : null

  lifecycle {
    ignore_changes = [final_snapshot_identifier]
  }
}

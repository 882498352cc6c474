# No mock_provider: Terraform mocks no ephemeral resources. The real provider plans without AWS, because nothing here
# exists yet and what AWS would answer is given below.
provider "aws" {
  region                      = "eu-west-1"
  access_key                  = "none"
  secret_key                  = "none"
  skip_credentials_validation = true
  skip_requesting_account_id  = true
  skip_metadata_api_check     = true
}

override_resource {
  target          = aws_db_instance.this
  override_during = plan
  values = {
    address            = "diabetes-dev.abc.eu-west-1.rds.amazonaws.com"
    resource_id        = "db-ABC"
    master_user_secret = [{ secret_arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:rds!db-1" }]
  }
}

override_resource {
  target          = aws_db_proxy.this
  override_during = plan
  values = {
    arn      = "arn:aws:rds:eu-west-1:123456789012:db-proxy:prx-0123"
    endpoint = "diabetes-dev.proxy-abc.eu-west-1.rds.amazonaws.com"
  }
}

override_resource {
  target          = aws_secretsmanager_secret.role["diabetes_api"]
  override_during = plan
  values          = { arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:api" }
}

override_resource {
  target          = aws_secretsmanager_secret.role["diabetes_replay"]
  override_during = plan
  values          = { arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:replay" }
}

variables {
  name                         = "diabetes-dev"
  subnet_ids                   = ["subnet-1", "subnet-2"]
  database_security_group_id   = "sg-database"
  proxy_security_group_id      = "sg-proxy"
  instance_class               = "db.t4g.micro"
  allocated_storage_gb         = 20
  max_allocated_storage_gb     = 100
  multi_az                     = true
  backup_retention_days        = 14
  deletion_protection          = true
  skip_final_snapshot          = false
  performance_insights_enabled = true
  log_retention_days           = 30
  secret_version               = 1
}

run "instance_is_private_and_protected" {
  command = plan

  assert {
    condition = (
      aws_db_instance.this.storage_encrypted
      && aws_db_instance.this.iam_database_authentication_enabled
      && aws_db_instance.this.manage_master_user_password
      && !aws_db_instance.this.publicly_accessible
      && aws_db_instance.this.vpc_security_group_ids == toset(["sg-database"])
      && aws_db_subnet_group.this.subnet_ids == toset(["subnet-1", "subnet-2"])
    )
    error_message = "The instance must be encrypted, private, with IAM tokens and a master password of RDS's own."
  }

  assert {
    condition     = aws_db_instance.this.password == null && aws_db_instance.this.password_wo == null
    error_message = "Terraform must not know the master password."
  }

  assert {
    condition = (
      aws_db_instance.this.deletion_protection
      && aws_db_instance.this.multi_az
      && aws_db_instance.this.backup_retention_period == 14
      && !aws_db_instance.this.skip_final_snapshot
      && aws_db_instance.this.final_snapshot_identifier == "diabetes-dev-final"
      && !aws_db_instance.this.delete_automated_backups
      && !aws_db_instance.this.apply_immediately
    )
    error_message = "Protection, standby, backups and the last snapshot must be as asked for."
  }

  assert {
    condition     = aws_db_instance.this.engine_version == "17" && aws_db_parameter_group.this.family == "postgres17"
    error_message = "The parameter group must be of the engine's major version."
  }
}

run "logs_hold_no_values" {
  command = plan

  assert {
    condition = { for parameter in aws_db_parameter_group.this.parameter : parameter.name => parameter.value } == {
      "rds.force_ssl"                     = "1"
      "password_encryption"               = "scram-sha-256"
      "log_connections"                   = "1"
      "log_disconnections"                = "1"
      "log_lock_waits"                    = "1"
      "log_statement"                     = "none"
      "log_min_duration_statement"        = "-1"
      "log_parameter_max_length"          = "0"
      "log_parameter_max_length_on_error" = "0"
      "log_error_verbosity"               = "terse"
      "log_min_error_statement"           = "panic"
      "pg_stat_statements.track_utility"  = "0"
    }
    error_message = "The parameters must require TLS and keep values out of the logs."
  }

  assert {
    condition = {
      for group in concat(values(aws_cloudwatch_log_group.instance), [aws_cloudwatch_log_group.proxy]) :
      group.name => group.retention_in_days
      } == {
      "/aws/rds/instance/diabetes-dev/postgresql" = 30
      "/aws/rds/instance/diabetes-dev/upgrade"    = 30
      "/aws/rds/proxy/diabetes-dev"               = 30
    }
    error_message = "Every log must have its group, which ends some day."
  }

  assert {
    condition     = aws_db_instance.this.enabled_cloudwatch_logs_exports == toset(["postgresql", "upgrade"])
    error_message = "The instance must send its logs to CloudWatch."
  }

  assert {
    condition     = !aws_db_proxy.this.debug_logging
    error_message = "The proxy must not log statements unless asked to."
  }
}

run "gives_out_what_the_functions_need" {
  command = plan

  assert {
    condition = {
      database_name       = output.database_name
      database_port       = output.database_port
      instance_identifier = output.instance_identifier
      proxy_name          = output.proxy_name
      proxy_endpoint      = output.proxy_endpoint
      proxy_resource_id   = output.proxy_resource_id
      master_user_name    = output.master_user_name
      } == {
      database_name       = "diabetes"
      database_port       = 5432
      instance_identifier = "diabetes-dev"
      proxy_name          = "diabetes-dev"
      proxy_endpoint      = "diabetes-dev.proxy-abc.eu-west-1.rds.amazonaws.com"
      proxy_resource_id   = "prx-0123"
      master_user_name    = "diabetes_owner"
    }
    error_message = "The outputs must name instance, proxy and master user."
  }

  assert {
    condition = output.role_secret_arns == {
      diabetes_api    = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:api"
      diabetes_replay = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:replay"
    }
    error_message = "The outputs must name the secret of each role."
  }
}

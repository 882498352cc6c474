# No mock_provider: Terraform mocks no ephemeral resources. The real provider plans without AWS, because nothing here
# exists yet, and the responses of AWS are given below.
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
    address            = "sample-dev.abc.eu-west-1.rds.amazonaws.com"
    resource_id        = "db-ABC"
    master_user_secret = [{ secret_arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:rds!db-1" }]
  }
}

override_resource {
  target          = aws_db_proxy.this
  override_during = plan
  values = {
    arn      = "arn:aws:rds:eu-west-1:123456789012:db-proxy:prx-0123"
    endpoint = "sample-dev.proxy-abc.eu-west-1.rds.amazonaws.com"
  }
}

override_resource {
  target          = aws_secretsmanager_secret.role["api"]
  override_during = plan
  values          = { arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:api" }
}

override_resource {
  target          = aws_secretsmanager_secret.role["replay"]
  override_during = plan
  values          = { arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:replay" }
}

override_resource {
  target          = aws_secretsmanager_secret.role["maintain"]
  override_during = plan
  values          = { arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:maintain" }
}

override_resource {
  target          = aws_secretsmanager_secret.role["monitor"]
  override_during = plan
  values          = { arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:monitor" }
}

run "protected" {
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
    error_message = "The instance must be encrypted and private, with IAM tokens and a master password managed by RDS."
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
      && can(regex("^sample-dev-final-[0-9]{14}$", aws_db_instance.this.final_snapshot_identifier))
      && !aws_db_instance.this.delete_automated_backups
      && !aws_db_instance.this.apply_immediately
    )
    error_message = "Protection, standby, backups and the final snapshot must follow the variables."
  }

  assert {
    condition     = aws_db_instance.this.engine_version == "17" && aws_db_parameter_group.this.family == "postgres17"
    error_message = "The parameter group must be of the engine's major version."
  }

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
    condition = toset([for parameter in aws_db_parameter_group.this.parameter : parameter.name if parameter.apply_method == "pending-reboot"]) == toset([
      "rds.force_ssl", "password_encryption", "log_statement", "log_min_duration_statement", "log_parameter_max_length_on_error",
    ])
    error_message = "Defaults must be written as RDS reports them. Each other parameter must apply at once."
  }

  assert {
    condition = {
      for group in concat(values(aws_cloudwatch_log_group.instance), [aws_cloudwatch_log_group.proxy]) :
      group.name => group.retention_in_days
      } == {
      "/aws/rds/instance/sample-dev/postgresql" = 30
      "/aws/rds/instance/sample-dev/upgrade"    = 30
      "/aws/rds/proxy/sample-dev"               = 30
    }
    error_message = "Every log must have a group with a retention."
  }

  assert {
    condition     = aws_db_instance.this.enabled_cloudwatch_logs_exports == toset(["postgresql", "upgrade"])
    error_message = "The instance must send its logs to CloudWatch."
  }

  assert {
    condition     = !aws_db_proxy.this.debug_logging
    error_message = "By default, the proxy must not log statements."
  }

  assert {
    condition = {
      database_name       = output.database_name
      database_port       = output.database_port
      instance_identifier = output.instance_identifier
      instance_endpoint   = output.instance_endpoint
      master_secret_arn   = output.master_secret_arn
      proxy_name          = output.proxy_name
      proxy_endpoint      = output.proxy_endpoint
      proxy_resource_id   = output.proxy_resource_id
      } == {
      database_name       = "sample"
      database_port       = 5432
      instance_identifier = "sample-dev"
      instance_endpoint   = "sample-dev.abc.eu-west-1.rds.amazonaws.com"
      master_secret_arn   = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:rds!db-1"
      proxy_name          = "sample-dev"
      proxy_endpoint      = "sample-dev.proxy-abc.eu-west-1.rds.amazonaws.com"
      proxy_resource_id   = "prx-0123"
    }
    error_message = "The outputs must name the instance and the proxy."
  }

  assert {
    condition     = output.database_user_names == { api = "sample_api", replay = "sample_replay", maintain = "sample_maintain", monitor = "sample_monitor", migrate = "sample_owner" }
    error_message = "The outputs must name the database user of each function."
  }

  assert {
    condition = output.role_secret_arns == {
      api      = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:api"
      maintain = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:maintain"
      monitor  = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:monitor"
      replay   = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:replay"
    }
    error_message = "The outputs must name the secret of each role."
  }

  assert {
    condition = (
      aws_db_proxy.this.engine_family == "POSTGRESQL"
      && aws_db_proxy.this.require_tls
      && aws_db_proxy.this.idle_client_timeout == 1800
      && aws_db_proxy.this.vpc_security_group_ids == toset(["sg-proxy"])
      && aws_db_proxy.this.vpc_subnet_ids == toset(["subnet-1", "subnet-2"])
    )
    error_message = "The proxy must be PostgreSQL's, over TLS, in the private subnets."
  }

  assert {
    condition = toset([
      for auth in aws_db_proxy.this.auth : join(" ", [auth.auth_scheme, auth.iam_auth, auth.secret_arn])
      ]) == toset([
      "SECRETS REQUIRED arn:aws:secretsmanager:eu-west-1:123456789012:secret:rds!db-1",
      "SECRETS REQUIRED arn:aws:secretsmanager:eu-west-1:123456789012:secret:api",
      "SECRETS REQUIRED arn:aws:secretsmanager:eu-west-1:123456789012:secret:maintain",
      "SECRETS REQUIRED arn:aws:secretsmanager:eu-west-1:123456789012:secret:monitor",
      "SECRETS REQUIRED arn:aws:secretsmanager:eu-west-1:123456789012:secret:replay",
    ])
    error_message = "The proxy must accept exactly five users, each with an IAM token and a separate secret."
  }

  assert {
    condition = jsondecode(aws_iam_role_policy.proxy.policy).Statement == [{
      Sid    = "ReadSecrets"
      Effect = "Allow"
      Action = ["secretsmanager:GetSecretValue"]
      Resource = [
        "arn:aws:secretsmanager:eu-west-1:123456789012:secret:api",
        "arn:aws:secretsmanager:eu-west-1:123456789012:secret:maintain",
        "arn:aws:secretsmanager:eu-west-1:123456789012:secret:monitor",
        "arn:aws:secretsmanager:eu-west-1:123456789012:secret:rds!db-1",
        "arn:aws:secretsmanager:eu-west-1:123456789012:secret:replay",
      ]
    }]
    error_message = "The proxy's role may read the five secrets and nothing else."
  }

  assert {
    condition = [
      for statement in jsondecode(aws_iam_role.proxy.assume_role_policy).Statement :
      [statement.Effect, statement.Principal, statement.Action]
    ] == [["Allow", { Service = "rds.amazonaws.com" }, "sts:AssumeRole"]]
    error_message = "Only RDS may assume the proxy's role."
  }

  assert {
    condition = (
      one(aws_db_proxy_default_target_group.this.connection_pool_config).max_connections_percent == 90
      && one(aws_db_proxy_default_target_group.this.connection_pool_config).connection_borrow_timeout == 5
      && aws_db_proxy_target.this.db_instance_identifier == "sample-dev"
    )
    error_message = "The proxy must leave connections for administrators, and must not make requests wait too long."
  }
}

run "choices" {
  command = plan

  variables {
    deletion_protection = false
    skip_final_snapshot = true
    secret_version      = 7
    kms_key_arn         = "arn:aws:kms:eu-west-1:123456789012:key/1"
  }

  assert {
    condition = (
      !aws_db_instance.this.deletion_protection
      && aws_db_instance.this.skip_final_snapshot
      && aws_db_instance.this.delete_automated_backups
    )
    error_message = "With skip_final_snapshot, no snapshot and no backup may remain."
  }

  assert {
    condition = { for role, version in aws_secretsmanager_secret_version.role : role => version.secret_string_wo_version } == {
      api      = 7
      maintain = 7
      monitor  = 7
      replay   = 7
    }
    error_message = "A new version must replace all secrets."
  }

  assert {
    condition = toset(concat(
      [
        aws_db_instance.this.kms_key_id,
        aws_db_instance.this.master_user_secret_kms_key_id,
        aws_db_instance.this.performance_insights_kms_key_id,
        aws_cloudwatch_log_group.proxy.kms_key_id,
      ],
      [for group in aws_cloudwatch_log_group.instance : group.kms_key_id],
      [for secret in aws_secretsmanager_secret.role : secret.kms_key_id],
    )) == toset([var.kms_key_arn])
    error_message = "The key must encrypt storage, secrets, Performance Insights and logs."
  }

  assert {
    condition = jsondecode(aws_iam_role_policy.proxy.policy).Statement[1] == {
      Sid       = "DecryptSecrets"
      Effect    = "Allow"
      Action    = ["kms:Decrypt"]
      Resource  = [var.kms_key_arn]
      Condition = { StringEquals = { "kms:ViaService" = "secretsmanager.eu-west-1.amazonaws.com" } }
    }
    error_message = "The proxy may use the key only for secrets."
  }
}

run "rejects_invalid_values" {
  command = plan
  expect_failures = [
    var.project,
    var.subnet_ids,
    var.instance_class,
    var.engine_version,
    var.max_allocated_storage_gb,
    var.backup_retention_days,
    var.skip_final_snapshot,
    var.log_retention_days,
    var.kms_key_arn,
    var.secret_version,
    var.max_connections_percent,
  ]

  variables {
    project                  = { name = "sample-service", prefix = "sample-service" }
    subnet_ids               = ["subnet-1"]
    instance_class           = "t4g.micro"
    engine_version           = "14"
    max_allocated_storage_gb = 20
    backup_retention_days    = 0
    skip_final_snapshot      = true
    log_retention_days       = 8
    kms_key_arn              = "alias/own"
    secret_version           = 0
    max_connections_percent  = 100
  }
}

run "rejects_less_storage_than_gp3_has" {
  command         = plan
  expect_failures = [var.allocated_storage_gb]

  variables {
    allocated_storage_gb = 10
  }
}

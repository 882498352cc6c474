# Who comes through the proxy, and what it may read. The provider is as in database.tftest.hcl.
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
  values          = { master_user_secret = [{ secret_arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:rds!db-1" }] }
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

run "proxy_takes_tokens_of_the_roles_and_the_master_user_only" {
  command = plan

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
      "SECRETS REQUIRED arn:aws:secretsmanager:eu-west-1:123456789012:secret:replay",
    ])
    error_message = "Each of the three must come by IAM token and with a secret of its own, and nobody else at all."
  }

  assert {
    condition = jsondecode(aws_iam_role_policy.proxy.policy).Statement == [{
      Sid    = "ReadSecrets"
      Effect = "Allow"
      Action = ["secretsmanager:GetSecretValue"]
      Resource = [
        "arn:aws:secretsmanager:eu-west-1:123456789012:secret:api",
        "arn:aws:secretsmanager:eu-west-1:123456789012:secret:rds!db-1",
        "arn:aws:secretsmanager:eu-west-1:123456789012:secret:replay",
      ]
    }]
    error_message = "The proxy's role may read the three secrets and nothing else."
  }

  assert {
    condition = [
      for statement in jsondecode(aws_iam_role.proxy.assume_role_policy).Statement :
      [statement.Effect, statement.Principal, statement.Action]
    ] == [["Allow", { Service = "rds.amazonaws.com" }, "sts:AssumeRole"]]
    error_message = "Only RDS may take the proxy's role."
  }

  assert {
    condition = (
      one(aws_db_proxy_default_target_group.this.connection_pool_config).max_connections_percent == 90
      && one(aws_db_proxy_default_target_group.this.connection_pool_config).connection_borrow_timeout == 5
      && aws_db_proxy_target.this.db_instance_identifier == "diabetes-dev"
    )
    error_message = "The pool must leave connections to people, and not make a request wait in vain."
  }
}

# What the caller decides. The provider is as in database.tftest.hcl.
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
  target          = aws_secretsmanager_secret.role
  override_during = plan
  values          = { arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:any" }
}

variables {
  name                         = "diabetes-dev"
  subnet_ids                   = ["subnet-1", "subnet-2"]
  database_security_group_id   = "sg-database"
  proxy_security_group_id      = "sg-proxy"
  instance_class               = "db.t4g.micro"
  allocated_storage_gb         = 20
  max_allocated_storage_gb     = 100
  multi_az                     = false
  backup_retention_days        = 1
  deletion_protection          = false
  skip_final_snapshot          = true
  performance_insights_enabled = false
  log_retention_days           = 7
  secret_version               = 1
}

run "can_be_thrown_away" {
  command = plan

  assert {
    condition = (
      !aws_db_instance.this.deletion_protection
      && aws_db_instance.this.skip_final_snapshot
      && aws_db_instance.this.final_snapshot_identifier == null
      && aws_db_instance.this.delete_automated_backups
    )
    error_message = "Where nothing is to be kept, nothing must stay."
  }
}

run "secrets_are_rotated_by_their_version" {
  command = plan

  variables {
    secret_version = 7
  }

  assert {
    condition = { for role, version in aws_secretsmanager_secret_version.role : role => version.secret_string_wo_version } == {
      diabetes_api    = 7
      diabetes_replay = 7
    }
    error_message = "Both secrets must be written anew with the version."
  }
}

run "own_key_is_used_for_all_and_may_be_used_by_the_proxy" {
  command = plan

  variables {
    kms_key_arn                  = "arn:aws:kms:eu-west-1:123456789012:key/1"
    performance_insights_enabled = true
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
    error_message = "The proxy may use the key for secrets alone."
  }
}

# What is refused. The provider is as in database.tftest.hcl.
provider "aws" {
  region                      = "eu-west-1"
  access_key                  = "none"
  secret_key                  = "none"
  skip_credentials_validation = true
  skip_requesting_account_id  = true
  skip_metadata_api_check     = true
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

run "refuses_one_subnet" {
  command         = plan
  expect_failures = [var.subnet_ids]

  variables {
    subnet_ids = ["subnet-1"]
  }
}

run "refuses_an_instance_class_of_ec2" {
  command         = plan
  expect_failures = [var.instance_class]

  variables {
    instance_class = "t4g.micro"
  }
}

run "refuses_an_old_postgresql" {
  command         = plan
  expect_failures = [var.engine_version]

  variables {
    engine_version = "14"
  }
}

run "refuses_less_storage_than_gp3_has" {
  command         = plan
  expect_failures = [var.allocated_storage_gb]

  variables {
    allocated_storage_gb = 10
  }
}

run "refuses_storage_that_cannot_grow" {
  command         = plan
  expect_failures = [var.max_allocated_storage_gb]

  variables {
    max_allocated_storage_gb = 20
  }
}

run "refuses_no_backups" {
  command         = plan
  expect_failures = [var.backup_retention_days]

  variables {
    backup_retention_days = 0
  }
}

run "refuses_protection_of_what_may_vanish" {
  command         = plan
  expect_failures = [var.skip_final_snapshot]

  variables {
    deletion_protection = true
  }
}

run "refuses_a_retention_that_cloudwatch_lacks" {
  command         = plan
  expect_failures = [var.log_retention_days]

  variables {
    log_retention_days = 8
  }
}

run "refuses_an_alias_for_a_key" {
  command         = plan
  expect_failures = [var.kms_key_arn]

  variables {
    kms_key_arn = "alias/own"
  }
}

run "refuses_roles_that_need_quoting" {
  command         = plan
  expect_failures = [var.roles]

  variables {
    roles = ["diabetes-api"]
  }
}

run "refuses_the_master_user_among_the_roles" {
  command         = plan
  expect_failures = [var.roles]

  variables {
    roles = ["diabetes_owner"]
  }
}

run "refuses_secret_version_zero" {
  command         = plan
  expect_failures = [var.secret_version]

  variables {
    secret_version = 0
  }
}

run "refuses_a_proxy_that_takes_every_connection" {
  command         = plan
  expect_failures = [var.max_connections_percent]

  variables {
    max_connections_percent = 100
  }
}

# The wiring of service and observability, with the outputs of the other modules given below. No mock_provider, because
# Terraform does not mock ephemeral resources. The provider plans without AWS, since nothing exists yet.
provider "aws" {
  region                      = "eu-west-1"
  access_key                  = "none"
  secret_key                  = "none"
  skip_credentials_validation = true
  skip_requesting_account_id  = true
  skip_metadata_api_check     = true
}

override_data {
  target = module.service.data.aws_caller_identity.current
  values = { account_id = "123456789012" }
}

override_data {
  target = module.observability.data.aws_caller_identity.current
  values = { account_id = "123456789012" }
}

override_module {
  target = module.network
  outputs = {
    private_subnet_ids         = ["subnet-1", "subnet-2"]
    function_security_group_id = "sg-1"
    proxy_security_group_id    = "sg-3"
    database_security_group_id = "sg-4"
    tunnel_host_id             = null
  }
}

override_module {
  target = module.database
  outputs = {
    database_name       = "sample"
    database_port       = 5432
    database_user_names = { api = "sample_api", replay = "sample_replay", maintain = "sample_maintain", monitor = "sample_monitor", migrate = "sample_owner" }
    instance_endpoint   = "instance.example"
    instance_identifier = "sample-test"
    master_secret_arn   = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:owner"
    proxy_name          = "sample-test"
    proxy_endpoint      = "proxy.example"
    proxy_resource_id   = "prx-1"
    role_secret_arns = {
      api      = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:api"
      maintain = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:maintain"
      monitor  = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:monitor"
      replay   = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:replay"
    }
  }
}

override_module {
  target = module.model_store
  outputs = {
    bucket_name = "sample-test-models-123456789012"
    bucket_arn  = "arn:aws:s3:::sample-test-models-123456789012"
  }
}

override_module {
  target = module.records
  outputs = {
    bucket_name          = "sample-test-records-123456789012"
    bucket_arn           = "arn:aws:s3:::sample-test-records-123456789012"
    query_database_name  = "sample_test"
    query_workgroup_name = "sample-test"
  }
}

variables {
  project     = { name = "sample-service", prefix = "sample" }
  environment = "test"
  account_id  = "123456789012"
  region      = "eu-west-1"
  features    = [{ name = "size", type = "double" }]

  analyse_image_uri = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/sample@sha256:abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789"

  image_uri = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/sample@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
  settings = {
    vpc_cidr                 = "10.20.0.0/20"
    instance_class           = "db.t4g.micro"
    max_allocated_storage_gb = 100
    api_reserved_concurrency = 10
    throttle_rate            = 10
    throttle_burst           = 20
    log_retention_days       = 30
  }
}

run "names_and_defaults" {
  command = plan

  assert {
    condition     = output.function_names == { for key in ["api", "maintain", "migrate", "monitor", "replay"] : key => "sample-test-${key}" } && output.dashboard_name == "sample-test" && module.service.service_name == "sample-test"
    error_message = "All names must begin with the project's prefix and the environment's name."
  }

  assert {
    condition     = local.metrics_namespace == "SampleService"
    error_message = "The metrics namespace must be the project's name in title case without hyphens."
  }

  assert {
    condition     = length(module.observability.alarm_arns) == 30
    error_message = "Every environment must have all alarms."
  }

  assert {
    condition = {
      for name in ["multi_az", "backup_retention_days", "deletion_protection", "skip_final_snapshot", "noncurrent_version_days", "force_destroy", "tunnel_enabled"] :
      name => tostring(var.settings[name])
      } == {
      multi_az                = "true"
      backup_retention_days   = "35"
      deletion_protection     = "true"
      skip_final_snapshot     = "false"
      noncurrent_version_days = "365"
      force_destroy           = "false"
      tunnel_enabled          = "false"
    }
    error_message = "Only an explicit setting may weaken the protection of the data."
  }

  assert {
    condition     = var.settings.retention_months == null && var.settings.idempotency_days == 30
    error_message = "By default, records must be kept for ever, and keys for 30 days."
  }

  assert {
    condition     = [var.settings.monitor_window_days, var.settings.coverage_tolerance, var.settings.drift_false_alarms_per_year] == [30, 0.04, 1]
    error_message = "By default, the monitor must look at 30 days, tolerate 4 % and give about one false alarm of drift a year."
  }

  assert {
    condition     = var.settings.candidate_max_ms == 250
    error_message = "By default, a candidate must have the time that lambda_app/settings.py gives it."
  }

  assert {
    condition     = output.tunnel == null
    error_message = "By default, nobody may have a tunnel to the database."
  }
}

run "rejects_invalid_names" {
  command = plan

  variables {
    project     = { name = "Sample Service", prefix = "sample-service" }
    environment = "te-st"
    account_id  = "1234"
    region      = "Ireland"
  }

  expect_failures = [var.project, var.environment, var.account_id, var.region]
}

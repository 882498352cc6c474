# The wiring of service and observability. The other modules have tests of their own, and their outputs stand below.
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

override_data {
  target = module.service.data.aws_caller_identity.current
  values = { account_id = "123456789012" }
}

override_data {
  target = module.service.data.aws_partition.current
  values = { partition = "aws" }
}

override_data {
  target = module.service.data.aws_region.current
  values = { name = "eu-west-1" }
}

override_data {
  target = module.observability.data.aws_caller_identity.current
  values = { account_id = "123456789012" }
}

override_data {
  target = module.observability.data.aws_partition.current
  values = { partition = "aws" }
}

override_data {
  target = module.observability.data.aws_region.current
  values = { name = "eu-west-1" }
}

override_module {
  target = module.network
  outputs = {
    vpc_id                     = "vpc-1"
    private_subnet_ids         = ["subnet-1", "subnet-2"]
    function_security_group_id = "sg-1"
    proxy_security_group_id    = "sg-3"
    database_security_group_id = "sg-4"
  }
}

override_module {
  target = module.database
  outputs = {
    database_name       = "diabetes"
    database_port       = 5432
    instance_identifier = "diabetes-dev"
    proxy_name          = "diabetes-dev"
    proxy_endpoint      = "proxy.example"
    proxy_resource_id   = "prx-1"
    master_user_name    = "master"
    role_secret_arns = {
      diabetes_api    = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:api"
      diabetes_replay = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:replay"
    }
  }
}

override_module {
  target = module.model_store
  outputs = {
    bucket_name = "diabetes-dev-models-123456789012"
    bucket_arn  = "arn:aws:s3:::diabetes-dev-models-123456789012"
  }
}

variables {
  account_id = "123456789012"
  image_uri  = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/diabetes@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
}

run "environment" {
  command = plan

  assert {
    condition     = output.function_names == { api = "diabetes-dev-api", replay = "diabetes-dev-replay", migrate = "diabetes-dev-migrate" } && output.dashboard_name == "diabetes-dev" && module.service.service_name == "diabetes-dev"
    error_message = "All names begin with the project's and the environment's."
  }

  assert {
    condition     = length(module.observability.alarm_arns) == 18
    error_message = "Every environment has all alarms."
  }

  assert {
    condition     = [local.multi_az, local.backup_retention_days, local.deletion_protection, local.skip_final_snapshot, local.force_destroy] == [false, 1, false, true, true]
    error_message = "The protections of the data are others."
  }

  assert {
    condition     = local.pages_enabled == true
    error_message = "The page and the documentation are shown here."
  }
}

run "rejects_a_broken_account" {
  command = plan
  variables {
    account_id = "1234"
    region     = "Ireland"
  }
  expect_failures = [var.account_id, var.region]
}

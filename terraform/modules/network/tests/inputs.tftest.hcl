mock_provider "aws" {}

variables {
  name               = "diabetes-dev"
  vpc_cidr           = "10.20.0.0/20"
  availability_zones = ["eu-west-1a", "eu-west-1b"]
}

run "refuses_a_name_in_capitals" {
  command         = plan
  expect_failures = [var.name]

  variables {
    name = "Diabetes"
  }
}

run "refuses_a_range_that_is_too_small" {
  command         = plan
  expect_failures = [var.vpc_cidr]

  variables {
    vpc_cidr = "10.20.0.0/25"
  }
}

run "refuses_a_range_with_host_bits" {
  command         = plan
  expect_failures = [var.vpc_cidr]

  variables {
    vpc_cidr = "10.20.0.1/20"
  }
}

run "refuses_public_addresses" {
  command         = plan
  expect_failures = [var.vpc_cidr]

  variables {
    vpc_cidr = "8.8.0.0/16"
  }
}

run "refuses_one_zone" {
  command         = plan
  expect_failures = [var.availability_zones]

  variables {
    availability_zones = ["eu-west-1a"]
  }
}

run "refuses_the_same_zone_twice" {
  command         = plan
  expect_failures = [var.availability_zones]

  variables {
    availability_zones = ["eu-west-1a", "eu-west-1a"]
  }
}

run "refuses_a_second_way_to_s3" {
  command         = plan
  expect_failures = [var.interface_endpoints]

  variables {
    interface_endpoints = ["s3", "sqs"]
  }
}

mock_provider "aws" {}

variables {
  account_id        = "123456789012"
  region            = "eu-west-1"
  github_repository = "owner/diabetes-ml"
  environments      = ["dev", "staging"]
}

run "refuses_a_name_with_a_hyphen" {
  command         = plan
  expect_failures = [var.name]

  variables {
    name = "diabetes-ml"
  }
}

run "refuses_a_short_account_number" {
  command         = plan
  expect_failures = [var.account_id]

  variables {
    account_id = "12345"
  }
}

run "refuses_a_zone_for_a_region" {
  command         = plan
  expect_failures = [var.region]

  variables {
    region = "eu-west-1a"
  }
}

run "refuses_too_few_images" {
  command         = plan
  expect_failures = [var.images_kept]

  variables {
    images_kept = 1
  }
}

run "refuses_every_repository_of_an_owner" {
  command         = plan
  expect_failures = [var.github_repository]

  variables {
    github_repository = "owner/*"
  }
}

run "refuses_the_provider_of_somebody_else" {
  command         = plan
  expect_failures = [var.github_oidc_provider_arn]

  variables {
    github_oidc_provider_arn = "arn:aws:iam::123456789012:oidc-provider/example.com"
  }
}

run "refuses_no_environment" {
  command         = plan
  expect_failures = [var.environments]

  variables {
    environments = []
  }
}

run "refuses_an_environment_that_is_a_pattern" {
  command         = plan
  expect_failures = [var.environments]

  variables {
    environments = ["*"]
  }
}

run "refuses_an_environment_whose_names_begin_like_the_state_buckets" {
  command         = plan
  expect_failures = [var.environments]

  variables {
    environments = ["dev", "states"]
  }
}

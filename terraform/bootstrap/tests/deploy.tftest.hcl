# The roles for deployments and their permissions. Only plans, as in bootstrap.tftest.hcl.
mock_provider "aws" {
  source          = "./tests/mocks"
  override_during = plan
}

run "each_environment_has_its_role" {
  command = plan

  assert {
    condition = { for environment, role in aws_iam_role.deploy : environment => jsondecode(role.assume_role_policy).Statement } == {
      for environment in ["dev", "staging"] : environment => [{
        Effect    = "Allow"
        Principal = { Federated = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com" }
        Action    = "sts:AssumeRoleWithWebIdentity"
        Condition = {
          StringEquals = {
            "token.actions.githubusercontent.com:aud" = "sts.amazonaws.com"
            "token.actions.githubusercontent.com:sub" = ["repo:owner/sample-service:environment:${environment}"]
          }
        }
      }]
    }
    error_message = "A role must trust only the repository's jobs in the environment of its name."
  }

  assert {
    condition = (
      aws_iam_openid_connect_provider.github[0].url == "https://token.actions.githubusercontent.com"
      && aws_iam_openid_connect_provider.github[0].client_id_list == toset(["sts.amazonaws.com"])
    )
    error_message = "The provider must be GitHub's."
  }

  assert {
    condition = {
      for statement in jsondecode(aws_iam_role_policy.deploy["dev"].policy).Statement : statement.Sid => statement.Resource
      if !contains(["Named"], statement.Sid)
      } == {
      FindState          = ["arn:aws:s3:::sample-states"]
      State              = ["arn:aws:s3:::sample-states/dev.tfstate"]
      StateLock          = ["arn:aws:s3:::sample-states/dev.tfstate.tflock"]
      RegistryLogin      = ["*"]
      Image              = ["arn:aws:ecr:eu-west-1:123456789012:repository/sample"]
      Unnamed            = ["*"]
      Tunnel             = ["*"]
      SmokeTest          = ["arn:aws:execute-api:eu-west-1:123456789012:*"]
      PrivateNames       = ["arn:aws:route53:::hostedzone/*"]
      Roles              = ["arn:aws:iam::123456789012:role/${local.prefix}-dev-*"]
      PassRoles          = ["arn:aws:iam::123456789012:role/${local.prefix}-dev-*"]
      ServiceLinkedRoles = ["arn:aws:iam::123456789012:role/aws-service-role/*"]
    }
    error_message = "The statements must allow the environment's state, image and roles."
  }

  assert {
    condition = alltrue([
      for resource in one([
        for statement in jsondecode(aws_iam_role_policy.deploy["dev"].policy).Statement : statement.Resource
        if statement.Sid == "Named"
      ]) : strcontains(replace(resource, "_", "-"), "${local.prefix}-dev") || can(regex(":(db-proxy|target-group|og:default|event-source-mapping):\\*$|:catalog$|::parameter/aws/service/ami-amazon-linux-latest/\\*$", resource))
    ])
    error_message = "Statements must be limited to names of the environment, except for the proxy, default option groups, event source mappings, the account's catalog, and AWS's own images."
  }

  assert {
    condition = alltrue(flatten([
      for statement in jsondecode(aws_iam_role_policy.deploy["dev"].policy).Statement : [
        for action in statement.Action : action != "*" && !startswith(action, "iam:*") && !startswith(action, "sts:")
      ]
    ]))
    error_message = "No statement may allow everything, all of IAM, or another role."
  }

  assert {
    condition = length(setsubtract(
      ["ec2:DeleteNetworkInterface", "ec2:DetachNetworkInterface", "lambda:GetAccountSettings"],
      one([
        for statement in jsondecode(aws_iam_role_policy.deploy["dev"].policy).Statement : statement.Action
        if statement.Sid == "Unnamed"
      ]),
    )) == 0
    error_message = "A deployment must be able to remove interfaces that a function left, and to read the account's quota."
  }

  # No role may change itself or the role of another environment, because their names begin differently.
  assert {
    condition     = alltrue([for role in aws_iam_role.deploy : startswith(role.name, "deploy-${local.prefix}-")])
    error_message = "The permissions of the roles must not cover the names of the roles."
  }

  assert {
    condition     = alltrue([for policy in aws_iam_role_policy.deploy : length(policy.policy) <= 10240])
    error_message = "IAM allows at most 10,240 characters of inline policies in a role."
  }
}

run "a_repository_with_ids_has_both_subjects" {
  command = plan

  variables {
    # Accounts that a company manages have an underscore.
    github_repository = "ada_clinic/sample-service"
    github_ids        = { owner = 12345678, repository = 1234567890 }
  }

  assert {
    condition = {
      for environment, role in aws_iam_role.deploy : environment =>
      jsondecode(role.assume_role_policy).Statement[0].Condition.StringEquals["token.actions.githubusercontent.com:sub"]
      } == {
      for environment in ["dev", "staging"] : environment => [
        "repo:ada_clinic/sample-service:environment:${environment}",
        "repo:ada_clinic@12345678/sample-service@1234567890:environment:${environment}",
      ]
    }
    error_message = "A role must trust the repository's subject with and without ids, and no other."
  }
}

run "the_accounts_own_provider_can_be_used" {
  command = plan

  variables {
    github_oidc_provider_arn = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"
  }

  assert {
    condition     = length(aws_iam_openid_connect_provider.github) == 0
    error_message = "No second provider may be made."
  }

  assert {
    condition = alltrue([
      for role in aws_iam_role.deploy :
      jsondecode(role.assume_role_policy).Statement[0].Principal.Federated == var.github_oidc_provider_arn
    ])
    error_message = "The roles must trust the existing provider."
  }
}

run "a_signing_key_may_be_used_and_nothing_else_done_with_it" {
  command = plan

  variables {
    signing_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
  }

  assert {
    condition = alltrue([
      for policy in aws_iam_role_policy.deploy : one([
        for statement in jsondecode(policy.policy).Statement : statement if statement.Sid == "SignModels"
        ]) == {
        Sid      = "SignModels"
        Effect   = "Allow"
        Action   = ["kms:Sign", "kms:Verify"]
        Resource = [var.signing_key_arn]
      }
    ])
    error_message = "A deployment must be able to sign and verify with the key."
  }

  assert {
    condition     = alltrue([for policy in aws_iam_role_policy.deploy : length(policy.policy) <= 10240])
    error_message = "IAM allows at most 10,240 characters of inline policies in a role."
  }
}

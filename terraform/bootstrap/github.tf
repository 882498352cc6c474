# An account can have only one provider for GitHub. Another project may have created it.
resource "aws_iam_openid_connect_provider" "github" {
  count = var.github_oidc_provider_arn == null ? 1 : 0

  url            = "https://token.actions.githubusercontent.com"
  client_id_list = ["sts.amazonaws.com"]
}

locals {
  # GitHub names the repository by owner and name. For repositories that were created, renamed or moved after June 2026
  # it adds their ids, so that a new owner of a name gets no access.
  github_names = concat([var.github_repository], var.github_ids == null ? [] : [
    format(
      "%s@%d/%s@%d",
      split("/", var.github_repository)[0], var.github_ids.owner, split("/", var.github_repository)[1], var.github_ids.repository,
    )
  ])

  oidc_provider_arn = var.github_oidc_provider_arn == null ? one(aws_iam_openid_connect_provider.github[*].arn) : var.github_oidc_provider_arn
}

# A role for each environment. GitHub Actions can assume it only in a job of the GitHub environment with that name. The
# environment's protection rules decide who may run such a job, and from which branch.
resource "aws_iam_role" "deploy" {
  for_each = var.environments

  name                 = "deploy-${local.prefix}-${each.key}"
  description          = "GitHub Actions deploys ${local.project.name} to ${each.key}"
  max_session_duration = 3600

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Federated = local.oidc_provider_arn }
      Action    = "sts:AssumeRoleWithWebIdentity"
      Condition = {
        # StringEquals, because a pattern could match a branch or a repository that somebody else names.
        StringEquals = {
          "token.actions.githubusercontent.com:aud" = "sts.amazonaws.com"
          "token.actions.githubusercontent.com:sub" = [for name in local.github_names : "repo:${name}:environment:${each.key}"]
        }
      }
    }]
  })
}

resource "aws_iam_role_policy" "deploy" {
  for_each = var.environments

  name   = "deploy"
  role   = aws_iam_role.deploy[each.key].id
  policy = jsonencode({ Version = "2012-10-17", Statement = local.deploy_statements[each.key] })
}

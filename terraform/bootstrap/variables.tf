variable "account_id" {
  description = "AWS account. The provider refuses credentials of any other."
  type        = string

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "account_id must be 12 digits."
  }
}

variable "region" {
  description = "AWS region of the bucket, the repository and the environments."
  type        = string

  validation {
    condition     = can(regex("^[a-z]{2,3}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region must be an AWS region, such as eu-west-1."
  }
}

variable "images_kept" {
  description = "Number of newest images that the repository keeps. A release has two, serve and analyse."
  type        = number
  default     = 200

  validation {
    condition     = var.images_kept >= 10 && var.images_kept <= 1000 && floor(var.images_kept) == var.images_kept
    error_message = "images_kept must be a whole number from 10 to 1000."
  }
}

variable "github_repository" {
  description = "GitHub repository whose workflows may deploy, as owner/name."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]+/[A-Za-z0-9._-]+$", var.github_repository))
    error_message = "github_repository must be owner/name, without a pattern."
  }
}

variable "github_ids" {
  description = "Ids of the repository's owner and of the repository, as `gh api repos/OWNER/NAME --jq '{owner: .owner.id, repository: .id}'` prints them. Repositories that were created, renamed or moved after June 2026 need them. Null for an older repository."
  type = object({
    owner      = number
    repository = number
  })
  default = null

  validation {
    condition     = var.github_ids == null || try(alltrue([for id in values(var.github_ids) : id >= 1 && floor(id) == id]), false)
    error_message = "github_ids must have two whole numbers, owner and repository, or be null."
  }
}

variable "github_oidc_provider_arn" {
  description = "ARN of the account's OIDC provider for GitHub. Null to create it."
  type        = string
  default     = null

  validation {
    condition = var.github_oidc_provider_arn == null || can(
      regex("^arn:[a-z-]+:iam::[0-9]{12}:oidc-provider/token\\.actions\\.githubusercontent\\.com$", var.github_oidc_provider_arn)
    )
    error_message = "github_oidc_provider_arn must be the ARN of a provider for token.actions.githubusercontent.com, or null."
  }
}

variable "environments" {
  description = "Environments in this account, named as on GitHub. Each gets a role for deployments."
  type        = set(string)

  validation {
    condition     = length(var.environments) >= 1 && alltrue([for name in var.environments : can(regex("^[a-z][a-z0-9]{1,9}$", name))])
    error_message = "environments must be one or more names of 2 to 10 lower-case letters and digits."
  }

  validation {
    # Its names would begin like the state bucket's, so its deployment could change all states.
    condition     = !contains(var.environments, "states")
    error_message = "environments must not contain states."
  }
}

variable "signing_key_arn" {
  description = "ARN of the KMS key that signs models, for deployments that set MODEL_SIGNING_KEY. Null if models are not signed."
  type        = string
  default     = null

  validation {
    condition     = var.signing_key_arn == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$", var.signing_key_arn))
    error_message = "signing_key_arn must be the ARN of a key, or null. That of an alias gives no right."
  }
}

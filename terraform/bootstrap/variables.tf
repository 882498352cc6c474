variable "name" {
  description = "Name of the project: of the repository in ECR, and the beginning of every name of an environment."
  type        = string
  default     = "diabetes"

  validation {
    condition     = can(regex("^[a-z][a-z0-9]{1,19}$", var.name))
    error_message = "name must be 2 to 20 lower-case letters and digits, with a letter first."
  }
}

variable "account_id" {
  description = "The AWS account; a provider with keys of another one refuses to work."
  type        = string

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "account_id must be 12 digits."
  }
}

variable "region" {
  description = "Region of the bucket, the repository and the environments."
  type        = string

  validation {
    condition     = can(regex("^[a-z]{2,3}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region must be a region of AWS, such as eu-west-1."
  }
}

variable "images_kept" {
  description = "How many images the repository keeps, the newest first."
  type        = number
  default     = 100

  validation {
    condition     = var.images_kept >= 10 && var.images_kept <= 1000 && floor(var.images_kept) == var.images_kept
    error_message = "images_kept must be a whole number from 10 to 1000: those that run, and some to go back to."
  }
}

variable "github_repository" {
  description = "The repository on GitHub whose workflows may deploy, as owner/name."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9-]+/[A-Za-z0-9._-]+$", var.github_repository))
    error_message = "github_repository must be owner/name, without a pattern."
  }
}

variable "github_oidc_provider_arn" {
  description = "The account's OIDC provider for GitHub, where it has one already; null to make it."
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
  description = "Environments that live in this account, called the same on GitHub; each gets a role to deploy with."
  type        = set(string)

  validation {
    condition     = length(var.environments) >= 1 && alltrue([for name in var.environments : can(regex("^[a-z][a-z0-9]{1,9}$", name))])
    error_message = "environments must be one or more names of 2 to 10 lower-case letters and digits."
  }

  validation {
    # The bucket of the states begins like this environment's names would, and its deployment could change every state.
    condition     = !contains(var.environments, "states")
    error_message = "environments must not have one that is called states."
  }
}

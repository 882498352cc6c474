variable "name" {
  description = "Name of the bucket, unique across all AWS accounts."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.name))
    error_message = "name must be 3 to 63 lower-case letters, digits and hyphens. With a dot, TLS could not verify the bucket's host name."
  }
}

variable "noncurrent_version_days" {
  description = "Days for which overwritten or deleted objects can be restored."
  type        = number

  validation {
    condition     = var.noncurrent_version_days >= 1 && floor(var.noncurrent_version_days) == var.noncurrent_version_days
    error_message = "noncurrent_version_days must be a whole number of at least 1."
  }
}

variable "force_destroy" {
  description = "Delete the bucket even if it holds models."
  type        = bool
}

variable "publisher_role_arns" {
  description = "ARNs of the roles that alone may change which model is served, and write its history. Empty: whoever IAM allows to."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.publisher_role_arns : can(regex("^arn:[a-z-]+:iam::[0-9]{12}:(role|user)/.+$", arn)) && !can(regex("[*?]", arn))])
    error_message = "publisher_role_arns must be ARNs of IAM roles or users without wildcards. That of a role's session is not one."
  }
}

variable "object_lock" {
  description = "Mode and days for which no version of any object of the bucket can be deleted. Null for none. It replaces a bucket that has none."
  type = object({
    mode = string
    days = number
  })
  default = null

  validation {
    condition     = var.object_lock == null ? true : contains(["GOVERNANCE", "COMPLIANCE"], var.object_lock.mode) && var.object_lock.days >= 1 && floor(var.object_lock.days) == var.object_lock.days
    error_message = "object_lock.mode must be GOVERNANCE or COMPLIANCE, and object_lock.days a whole number of at least 1."
  }
}

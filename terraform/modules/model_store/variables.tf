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

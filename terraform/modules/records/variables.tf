variable "name" {
  description = "Name of the workgroup and, with underscores, of the database in the catalog."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,39}$", var.name))
    error_message = "name must be 2 to 40 lower-case letters, digits and hyphens, with a letter first."
  }
}

variable "bucket_name" {
  description = "Name of the bucket, unique across all AWS accounts."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.bucket_name))
    error_message = "bucket_name must be 3 to 63 lower-case letters, digits and hyphens. With a dot, TLS could not verify the bucket's host name."
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
  description = "Delete the bucket even if it holds records, and the workgroup even if it holds queries."
  type        = bool
}

variable "features" {
  description = "The columns of the features in the exported files, with their types in Glue, as in problem/columns.json."
  type        = list(object({ name = string, type = string }))

  validation {
    condition     = length(var.features) >= 1 && alltrue([for feature in var.features : contains(["double", "bigint", "smallint"], feature.type)])
    error_message = "features must be at least one column of the type double, bigint or smallint."
  }
}

variable "first_date" {
  description = "The first day that queries look for."
  type        = string
  default     = "2026-01-01"

  validation {
    condition     = can(regex("^[0-9]{4}-[0-9]{2}-[0-9]{2}$", var.first_date))
    error_message = "first_date must be a day such as 2026-01-01."
  }
}

variable "query_limit_bytes" {
  description = "Bytes that one query may read. Athena stops a query that reads more."
  type        = number
  default     = 10737418240

  validation {
    condition     = var.query_limit_bytes >= 10485760 && floor(var.query_limit_bytes) == var.query_limit_bytes
    error_message = "query_limit_bytes must be a whole number of at least 10485760, the minimum of Athena."
  }
}

variable "name" {
  description = "Name of the instance and the proxy, and prefix of all other names."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,30}[a-z0-9]$", var.name)) && !strcontains(var.name, "--")
    error_message = "name must be 3 to 32 lower-case letters, digits and single hyphens. It must begin with a letter and not end with a hyphen."
  }
}

variable "project" {
  description = "Name of the project and prefix of its resources. The database and its roles are named after the prefix."
  type = object({
    name   = string
    prefix = string
  })

  validation {
    condition     = can(regex("^[a-z][a-z0-9]*$", var.project.prefix))
    error_message = "project.prefix must be lower-case letters and digits, with a letter first, so that role names need no quoting."
  }
}

variable "subnet_ids" {
  description = "Private subnets in at least two availability zones."
  type        = list(string)

  validation {
    condition     = length(var.subnet_ids) >= 2
    error_message = "subnet_ids must have at least two subnets."
  }
}

variable "database_security_group_id" {
  description = "Security group of the instance."
  type        = string
}

variable "proxy_security_group_id" {
  description = "Security group of the proxy."
  type        = string
}

variable "instance_class" {
  description = "RDS instance class, such as db.t4g.micro."
  type        = string

  validation {
    condition     = can(regex("^db\\.[a-z0-9-]+\\.[a-z0-9]+$", var.instance_class))
    error_message = "instance_class must be an RDS instance class, such as db.t4g.micro."
  }
}

variable "engine_version" {
  description = "Major version of PostgreSQL (RDS keeps its newest minor version), or the full version to start with."
  type        = string
  default     = "17"

  validation {
    condition     = can(regex("^1[5-9](\\.[0-9]+)?$", var.engine_version))
    error_message = "engine_version must be a PostgreSQL version from 15 to 19, such as 17 or 17.5."
  }
}

variable "allocated_storage_gb" {
  description = "Initial storage in GB."
  type        = number

  validation {
    condition     = var.allocated_storage_gb >= 20 && floor(var.allocated_storage_gb) == var.allocated_storage_gb
    error_message = "allocated_storage_gb must be a whole number of at least 20, the minimum of gp3."
  }
}

variable "max_allocated_storage_gb" {
  description = "Limit in GB up to which RDS may extend the storage."
  type        = number

  validation {
    condition     = var.max_allocated_storage_gb >= 1.1 * var.allocated_storage_gb && var.max_allocated_storage_gb <= 65536
    error_message = "max_allocated_storage_gb must be at least 10 % above allocated_storage_gb and at most 65536."
  }
}

variable "multi_az" {
  description = "Keep a standby instance in another availability zone."
  type        = bool
}

variable "backup_retention_days" {
  description = "Days for which the instance can be restored to any point in time."
  type        = number

  validation {
    condition     = var.backup_retention_days >= 1 && var.backup_retention_days <= 35
    error_message = "backup_retention_days must be from 1 to 35. With 0 there would be no backups."
  }
}

variable "deletion_protection" {
  description = "Refuse to delete the instance."
  type        = bool
}

variable "skip_final_snapshot" {
  description = "Delete the instance without a final snapshot and with its backups."
  type        = bool

  validation {
    condition     = !(var.skip_final_snapshot && var.deletion_protection)
    error_message = "skip_final_snapshot must be false if deletion_protection is true."
  }
}

variable "performance_insights_enabled" {
  description = "Enable Performance Insights with a history of seven days."
  type        = bool
}

variable "log_retention_days" {
  description = "Days for which CloudWatch keeps the logs of the instance and the proxy."
  type        = number

  validation {
    condition = contains(
      [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653],
      var.log_retention_days,
    )
    error_message = "log_retention_days must be a period that CloudWatch offers, such as 7, 30, 90 or 365."
  }
}

variable "kms_key_arn" {
  description = "Key for storage, secrets, Performance Insights and logs. Its policy must allow CloudWatch Logs to use it. Null for the keys that AWS manages."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/", var.kms_key_arn))
    error_message = "kms_key_arn must be the ARN of a key, not of an alias, or null."
  }
}

variable "secret_version" {
  description = "Version of the role passwords. Increase it by one to replace them."
  type        = number

  validation {
    condition     = var.secret_version >= 1 && floor(var.secret_version) == var.secret_version
    error_message = "secret_version must be a whole number of at least 1."
  }
}

variable "max_connections_percent" {
  description = "Percentage of the instance's connections that the proxy may use."
  type        = number
  default     = 90

  validation {
    condition     = var.max_connections_percent >= 1 && var.max_connections_percent <= 95
    error_message = "max_connections_percent must be from 1 to 95. Administrators need the rest."
  }
}

variable "proxy_debug_logging" {
  description = "Let the proxy log statements and the reasons of pins. Statements contain health data: enable it only for a search."
  type        = bool
  default     = false
}

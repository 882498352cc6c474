variable "name" {
  description = "Name of the instance and the proxy, and prefix of all other names, such as diabetes-dev."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,30}[a-z0-9]$", var.name)) && !strcontains(var.name, "--")
    error_message = "name must be 3 to 32 lower-case letters, digits and single hyphens, from a letter to a letter or digit."
  }
}

variable "subnet_ids" {
  description = "Private subnets, in at least two zones."
  type        = list(string)

  validation {
    condition     = length(var.subnet_ids) >= 2
    error_message = "subnet_ids must be at least two subnets."
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
  description = "Class of the instance, such as db.t4g.micro."
  type        = string

  validation {
    condition     = can(regex("^db\\.[a-z0-9-]+\\.[a-z0-9]+$", var.instance_class))
    error_message = "instance_class must be a class of RDS, such as db.t4g.micro."
  }
}

variable "engine_version" {
  description = "PostgreSQL's major version, which then takes minor ones by itself, or a full version to begin with."
  type        = string
  default     = "17"

  validation {
    condition     = can(regex("^1[5-9](\\.[0-9]+)?$", var.engine_version))
    error_message = "engine_version must be a version of PostgreSQL from 15 to 19, such as 17 or 17.5."
  }
}

variable "allocated_storage_gb" {
  description = "Storage to begin with."
  type        = number

  validation {
    condition     = var.allocated_storage_gb >= 20 && floor(var.allocated_storage_gb) == var.allocated_storage_gb
    error_message = "allocated_storage_gb must be a whole number of at least 20, the least that gp3 has."
  }
}

variable "max_allocated_storage_gb" {
  description = "How far RDS may let the storage grow by itself."
  type        = number

  validation {
    condition     = var.max_allocated_storage_gb >= 1.1 * var.allocated_storage_gb && var.max_allocated_storage_gb <= 65536
    error_message = "max_allocated_storage_gb must be at least 10 % above allocated_storage_gb, as RDS asks, and at most 65536."
  }
}

variable "multi_az" {
  description = "Keep a standby in another zone."
  type        = bool
}

variable "backup_retention_days" {
  description = "How many days the instance can be set back to any moment."
  type        = number

  validation {
    condition     = var.backup_retention_days >= 1 && var.backup_retention_days <= 35
    error_message = "backup_retention_days must be from 1 to 35; 0 would turn backups off."
  }
}

variable "deletion_protection" {
  description = "Refuse to delete the instance."
  type        = bool
}

variable "skip_final_snapshot" {
  description = "Delete the instance, when that is allowed, without a last snapshot and with its backups."
  type        = bool

  validation {
    condition     = !(var.skip_final_snapshot && var.deletion_protection)
    error_message = "skip_final_snapshot must be false where deletion_protection is true: one says that the records count, the other that they do not."
  }
}

variable "performance_insights_enabled" {
  description = "Keep seven days of Performance Insights."
  type        = bool
}

variable "log_retention_days" {
  description = "How long CloudWatch keeps the logs of instance and proxy."
  type        = number

  validation {
    condition = contains(
      [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653],
      var.log_retention_days,
    )
    error_message = "log_retention_days must be a number that CloudWatch knows: 1, 3, 5, 7, 14, 30, 60, 90, … up to 3653."
  }
}

variable "kms_key_arn" {
  description = "Key for storage, secrets, Performance Insights and logs, whose policy must let CloudWatch Logs use it; null for the keys that AWS manages."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/", var.kms_key_arn))
    error_message = "kms_key_arn must be the ARN of a key, not of an alias, or null."
  }
}

variable "roles" {
  description = "Roles of PostgreSQL that come through the proxy; each gets a secret."
  type        = set(string)
  default     = ["diabetes_api", "diabetes_replay"]

  validation {
    condition     = length(var.roles) >= 1 && alltrue([for role in var.roles : can(regex("^[a-z_][a-z0-9_]{0,62}$", role))])
    error_message = "roles must be one or more names of 1 to 63 lower-case letters, digits and underscores."
  }

  validation {
    condition     = !contains(var.roles, "diabetes_owner")
    error_message = "roles must not have diabetes_owner, the master user, whose secret RDS makes."
  }
}

variable "secret_version" {
  description = "Raise it by one to give every role's secret a new password."
  type        = number

  validation {
    condition     = var.secret_version >= 1 && floor(var.secret_version) == var.secret_version
    error_message = "secret_version must be a whole number from 1."
  }
}

variable "max_connections_percent" {
  description = "Share of the instance's connections that the proxy may take."
  type        = number
  default     = 90

  validation {
    condition     = var.max_connections_percent >= 1 && var.max_connections_percent <= 95
    error_message = "max_connections_percent must be from 1 to 95: whoever looks into the database needs a connection too."
  }
}

variable "proxy_debug_logging" {
  description = "Let the proxy log statements and the reasons of pins, for as long as somebody looks for them."
  type        = bool
  default     = false
}

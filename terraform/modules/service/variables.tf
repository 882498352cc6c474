variable "name" {
  description = "Prefix of all names, and SERVICE_NAME: the dimension that keeps the metrics of two environments of one account apart."
  type        = string

  validation {
    # IAM's limit of 64 for a role's name leaves this, with the longest suffix.
    condition     = can(regex("^[a-z][a-z0-9-]{1,39}$", var.name))
    error_message = "name must be 2 to 40 characters: lower-case letters, digits and hyphens, a letter first."
  }
}

variable "image_uri" {
  description = "The image in ECR, by digest: a tag can be moved, and what runs would then differ from what was tested."
  type        = string

  validation {
    condition     = can(regex("^[^@]+@sha256:[0-9a-f]{64}$", var.image_uri))
    error_message = "image_uri must end in @sha256: and 64 hexadecimal digits."
  }
}

variable "subnet_ids" {
  description = "Private subnets of the functions, in two availability zones or more."
  type        = list(string)

  validation {
    condition     = length(var.subnet_ids) >= 2
    error_message = "subnet_ids must name at least 2 subnets."
  }
}

variable "function_security_group_id" {
  description = "Security group of the functions, which reach the proxy."
  type        = string
}

variable "model_bucket_name" {
  description = "Name of the bucket that holds models/."
  type        = string
}

variable "model_bucket_arn" {
  description = "ARN of the same bucket."
  type        = string
}

variable "model_runtime" {
  description = "MODEL_RUNTIME: the runtime that the image was built with."
  type        = string
  default     = "litert"

  validation {
    condition     = contains(["litert", "tensorflow"], var.model_runtime)
    error_message = "model_runtime must be litert or tensorflow."
  }
}

variable "model_refresh_seconds" {
  description = "MODEL_REFRESH_SECONDS: how often, at most, api looks for another model."
  type        = number
  default     = 60

  validation {
    condition     = var.model_refresh_seconds >= 1 && var.model_refresh_seconds <= 86400 && floor(var.model_refresh_seconds) == var.model_refresh_seconds
    error_message = "model_refresh_seconds must be a whole number from 1 to 86400."
  }
}

variable "database_name" {
  description = "DATABASE_NAME."
  type        = string
}

variable "database_port" {
  description = "DATABASE_PORT."
  type        = number
  default     = 5432

  validation {
    condition     = var.database_port >= 1 && var.database_port <= 65535 && floor(var.database_port) == var.database_port
    error_message = "database_port must be a whole number from 1 to 65535."
  }
}

variable "proxy_endpoint" {
  description = "Host name of RDS Proxy."
  type        = string
}

variable "proxy_resource_id" {
  description = "The proxy's id (prx-…), to which rds-db:connect is granted."
  type        = string

  validation {
    condition     = can(regex("^prx-[0-9a-z]+$", var.proxy_resource_id))
    error_message = "proxy_resource_id must be the id prx-… from the proxy's ARN, not its name."
  }
}

variable "master_user_name" {
  description = "DATABASE_USER of migrate, which owns the tables."
  type        = string
}

variable "role_secret_arns" {
  description = "ARN of the secret of each role; migrate sets the roles' passwords to what these hold."
  type        = map(string)

  validation {
    condition     = toset(keys(var.role_secret_arns)) == toset(["diabetes_api", "diabetes_replay"])
    error_message = "role_secret_arns must have exactly the keys diabetes_api and diabetes_replay."
  }
}

variable "memory_mb" {
  description = "Memory of each function; its share of a CPU follows from it, and all of one from 1769 MB on."
  type        = number
  default     = 1024

  validation {
    condition     = var.memory_mb >= 512 && var.memory_mb <= 10240 && floor(var.memory_mb) == var.memory_mb
    error_message = "memory_mb must be a whole number from 512 to 10240."
  }
}

variable "api_reserved_concurrency" {
  description = "How many requests are served at once, at most. Reservations come off the account's quota, of which 100 must stay free."
  type        = number

  validation {
    condition     = var.api_reserved_concurrency >= 1 && var.api_reserved_concurrency <= 1000 && floor(var.api_reserved_concurrency) == var.api_reserved_concurrency
    error_message = "api_reserved_concurrency must be a whole number from 1 to 1000."
  }
}

variable "replay_concurrency" {
  description = "How many batches of the queue are stored at once, at most: after an outage it must not crowd out the requests."
  type        = number
  default     = 2

  validation {
    # SQS event sources know no smaller number than 2.
    condition     = var.replay_concurrency >= 2 && var.replay_concurrency <= 1000 && floor(var.replay_concurrency) == var.replay_concurrency
    error_message = "replay_concurrency must be a whole number from 2 to 1000."
  }
}

variable "provisioned_concurrency" {
  description = "Environments of api that are kept initialised; 0 for none."
  type        = number
  default     = 0

  validation {
    condition     = var.provisioned_concurrency >= 0 && var.provisioned_concurrency <= var.api_reserved_concurrency && floor(var.provisioned_concurrency) == var.provisioned_concurrency
    error_message = "provisioned_concurrency must be a whole number from 0 to api_reserved_concurrency."
  }
}

variable "keep_warm_schedule" {
  description = "EventBridge schedule of a request that keeps one environment of api warm, such as rate(5 minutes); null for none."
  type        = string
  default     = null

  validation {
    condition     = var.keep_warm_schedule == null || can(regex("^(rate|cron)\\(.+\\)$", var.keep_warm_schedule))
    error_message = "keep_warm_schedule must be rate(…), cron(…) or null."
  }
}

variable "pages_enabled" {
  description = "PAGES: whether api shows the page, /docs and /openapi.json. The gateway wants a signature or a JWT for these too, which a browser sends only with help: that of a proxy which adds it."
  type        = bool
  default     = true
}

variable "log_level" {
  description = "LOG_LEVEL."
  type        = string
  default     = "INFO"

  validation {
    condition     = contains(["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], var.log_level)
    error_message = "log_level must be DEBUG, INFO, WARNING, ERROR or CRITICAL."
  }
}

variable "log_retention_days" {
  description = "How long CloudWatch keeps the logs."
  type        = number
  default     = 90

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days must be one of CloudWatch's periods from 1 to 3653 days, such as 30, 90 or 365."
  }
}

variable "metrics_namespace" {
  description = "METRICS_NAMESPACE."
  type        = string
  default     = "DiabetesMl"

  validation {
    condition     = can(regex("^[A-Za-z0-9._/#-]{1,255}$", var.metrics_namespace)) && !startswith(var.metrics_namespace, "AWS/")
    error_message = "metrics_namespace must be 1 to 255 letters, digits and . _ / # -, and must not begin with AWS/."
  }
}

variable "tracing_enabled" {
  description = "Whether X-Ray traces the functions."
  type        = bool
  default     = false
}

variable "jwt" {
  description = "Who issues the tokens of callers and for which audiences; null: callers sign with IAM."
  type = object({
    issuer   = string
    audience = list(string)
  })
  default = null

  validation {
    condition     = var.jwt == null || try(startswith(var.jwt.issuer, "https://") && length(var.jwt.audience) >= 1, false)
    error_message = "jwt must have an issuer that begins with https:// and at least 1 audience."
  }
}

variable "throttle_rate" {
  description = "Requests a second that the API lets through; more get a 429."
  type        = number

  validation {
    condition     = var.throttle_rate > 0 && var.throttle_rate <= 10000
    error_message = "throttle_rate must be above 0 and at most 10000."
  }
}

variable "throttle_burst" {
  description = "Requests at once that the API lets through."
  type        = number

  validation {
    condition     = var.throttle_burst >= 1 && var.throttle_burst <= 5000 && floor(var.throttle_burst) == var.throttle_burst
    error_message = "throttle_burst must be a whole number from 1 to 5000."
  }
}

variable "custom_domain" {
  description = "Host name of the API and its certificate in ACM, in the same region; null for API Gateway's own name."
  type = object({
    domain_name     = string
    certificate_arn = string
  })
  default = null
}

variable "queue_retention_days" {
  description = "How long the queue keeps a record that the database does not take."
  type        = number
  default     = 14

  validation {
    # 1000 receives, 6 minutes apart, take four days; a shorter retention would drop records before they are moved.
    condition     = var.queue_retention_days >= 5 && var.queue_retention_days <= 14 && floor(var.queue_retention_days) == var.queue_retention_days
    error_message = "queue_retention_days must be a whole number from 5 to 14, the longest that SQS keeps a message."
  }
}

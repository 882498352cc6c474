variable "name" {
  description = "Prefix of all names, and SERVICE_NAME, the dimension that separates the metrics of environments."
  type        = string

  validation {
    # The name of an IAM role has at most 64 characters.
    condition     = can(regex("^[a-z][a-z0-9-]{1,39}$", var.name))
    error_message = "name must be 2 to 40 lower-case letters, digits and hyphens, with a letter first."
  }
}

variable "image_uri" {
  description = "Image of the functions in ECR, by digest. A tag could move to an image that was not tested."
  type        = string

  validation {
    condition     = can(regex("^[^@]+@sha256:[0-9a-f]{64}$", var.image_uri))
    error_message = "image_uri must end in @sha256: and 64 hexadecimal digits."
  }
}

variable "analyse_image_uri" {
  description = "Image analyse in ECR, by digest, for the functions maintain and monitor."
  type        = string

  validation {
    condition     = can(regex("^[^@]+@sha256:[0-9a-f]{64}$", var.analyse_image_uri))
    error_message = "analyse_image_uri must end in @sha256: and 64 hexadecimal digits."
  }
}

variable "subnet_ids" {
  description = "Private subnets of the functions in at least two availability zones."
  type        = list(string)

  validation {
    condition     = length(var.subnet_ids) >= 2
    error_message = "subnet_ids must have at least two subnets."
  }
}

variable "function_security_group_id" {
  description = "Security group of the functions."
  type        = string
}

variable "model_bucket_name" {
  description = "Name of the model bucket."
  type        = string
}

variable "model_bucket_arn" {
  description = "ARN of the model bucket."
  type        = string
}

variable "records_bucket_name" {
  description = "Name of the records bucket."
  type        = string
}

variable "records_bucket_arn" {
  description = "ARN of the records bucket."
  type        = string
}

variable "retention_months" {
  description = "RETENTION_MONTHS, the whole months for which the database keeps a record after its own. Null for ever."
  type        = number

  validation {
    condition     = var.retention_months == null || try(var.retention_months >= 1 && var.retention_months <= 1200 && floor(var.retention_months) == var.retention_months, false)
    error_message = "retention_months must be a whole number from 1 to 1200, or null."
  }
}

variable "idempotency_days" {
  description = "IDEMPOTENCY_DAYS, the days after which an Idempotency-Key expires."
  type        = number

  validation {
    condition     = var.idempotency_days >= 1 && var.idempotency_days <= 3650 && floor(var.idempotency_days) == var.idempotency_days
    error_message = "idempotency_days must be a whole number from 1 to 3650."
  }
}

variable "monitor_window_days" {
  description = "MONITOR_WINDOW_DAYS, the days of predictions in which monitor looks for drift."
  type        = number

  validation {
    condition     = var.monitor_window_days >= 1 && var.monitor_window_days <= 366 && floor(var.monitor_window_days) == var.monitor_window_days
    error_message = "monitor_window_days must be a whole number from 1 to 366."
  }
}

variable "coverage_tolerance" {
  description = "COVERAGE_TOLERANCE, the share of outcomes outside their intervals that is tolerated beyond the promised one."
  type        = number

  validation {
    condition     = var.coverage_tolerance >= 0 && var.coverage_tolerance <= 0.25
    error_message = "coverage_tolerance must be from 0 to 0.25."
  }
}

variable "drift_false_alarms_per_year" {
  description = "DRIFT_FALSE_ALARMS_PER_YEAR, the number of false alarms of drift to expect in a year without drift."
  type        = number

  validation {
    condition     = var.drift_false_alarms_per_year >= 0.01 && var.drift_false_alarms_per_year <= 12
    error_message = "drift_false_alarms_per_year must be from 0.01 to 12."
  }
}

variable "model_runtime" {
  description = "MODEL_RUNTIME, the runtime of the image."
  type        = string
  default     = "litert"

  validation {
    condition     = contains(["litert", "tensorflow"], var.model_runtime)
    error_message = "model_runtime must be litert or tensorflow."
  }
}

variable "model_refresh_seconds" {
  description = "MODEL_REFRESH_SECONDS, the minimum time between two checks for a new model."
  type        = number

  validation {
    condition     = var.model_refresh_seconds >= 1 && var.model_refresh_seconds <= 86400 && floor(var.model_refresh_seconds) == var.model_refresh_seconds
    error_message = "model_refresh_seconds must be a whole number from 1 to 86400."
  }
}

variable "candidate_max_ms" {
  description = "CANDIDATE_MAX_MS, the milliseconds that a candidate may take for up to 100 cases of a request."
  type        = number

  validation {
    condition     = var.candidate_max_ms >= 1 && var.candidate_max_ms <= 10000 && floor(var.candidate_max_ms) == var.candidate_max_ms
    error_message = "candidate_max_ms must be a whole number from 1 to 10000."
  }
}

variable "database_name" {
  description = "DATABASE_NAME, the name of the database."
  type        = string
}

variable "database_port" {
  description = "DATABASE_PORT, the port of the proxy."
  type        = number

  validation {
    condition     = var.database_port >= 1 && var.database_port <= 65535 && floor(var.database_port) == var.database_port
    error_message = "database_port must be a whole number from 1 to 65535."
  }
}

variable "database_storage_gb" {
  description = "DATABASE_STORAGE_GB, the storage up to which RDS extends the database. maintain tells when it will be full."
  type        = number
}

variable "proxy_endpoint" {
  description = "Host name of RDS Proxy."
  type        = string
}

variable "proxy_resource_id" {
  description = "Id of the proxy (prx-…) for rds-db:connect."
  type        = string

  validation {
    condition     = can(regex("^prx-[0-9a-z]+$", var.proxy_resource_id))
    error_message = "proxy_resource_id must be the id prx-… from the proxy's ARN, not the proxy's name."
  }
}

variable "database_user_names" {
  description = "DATABASE_USER of each function, by the function's key."
  type        = map(string)

  validation {
    condition     = toset(keys(var.database_user_names)) == toset(["api", "maintain", "migrate", "monitor", "replay"])
    error_message = "database_user_names must have exactly the keys api, replay, migrate, maintain and monitor."
  }
}

variable "role_secret_arns" {
  description = "ARN of the secret of each function's role, by the function's key. migrate sets the passwords of the roles from them."
  type        = map(string)

  validation {
    condition     = toset(keys(var.role_secret_arns)) == toset(["api", "maintain", "monitor", "replay"])
    error_message = "role_secret_arns must have exactly the keys api, replay, maintain and monitor."
  }
}

variable "memory_mb" {
  description = "Memory of each function but maintain and monitor. Lambda gives a full CPU from 1769 MB."
  type        = number

  validation {
    condition     = var.memory_mb >= 512 && var.memory_mb <= 10240 && floor(var.memory_mb) == var.memory_mb
    error_message = "memory_mb must be a whole number from 512 to 10240."
  }
}

variable "api_reserved_concurrency" {
  description = "Maximum number of requests served at the same time, which Lambda reserves for api. Reservations reduce the account's quota, of which 100 must stay unreserved. Null to reserve nothing."
  type        = number
  default     = null

  validation {
    condition     = var.api_reserved_concurrency == null || try(var.api_reserved_concurrency >= 1 && var.api_reserved_concurrency <= 1000 && floor(var.api_reserved_concurrency) == var.api_reserved_concurrency, false)
    error_message = "api_reserved_concurrency must be a whole number from 1 to 1000, or null."
  }
}

variable "replay_concurrency" {
  description = "Maximum number of queue batches stored at the same time, so that replay after an outage leaves room for requests."
  type        = number

  validation {
    # The minimum of SQS event sources.
    condition     = var.replay_concurrency >= 2 && var.replay_concurrency <= 1000 && floor(var.replay_concurrency) == var.replay_concurrency
    error_message = "replay_concurrency must be a whole number from 2 to 1000."
  }
}

variable "provisioned_concurrency" {
  description = "Execution environments of api that Lambda keeps initialised."
  type        = number

  validation {
    condition     = var.provisioned_concurrency >= 0 && floor(var.provisioned_concurrency) == var.provisioned_concurrency && (var.api_reserved_concurrency == null || try(var.provisioned_concurrency <= var.api_reserved_concurrency, false))
    error_message = "provisioned_concurrency must be a whole number from 0 to api_reserved_concurrency."
  }
}

variable "keep_warm_schedule" {
  description = "EventBridge schedule of a request that keeps one execution environment of api warm, such as rate(5 minutes). Null for none."
  type        = string

  validation {
    condition     = var.keep_warm_schedule == null || can(regex("^(rate|cron)\\(.+\\)$", var.keep_warm_schedule))
    error_message = "keep_warm_schedule must be rate(…), cron(…) or null."
  }
}

variable "pages_enabled" {
  description = "PAGES, whether api serves the page, /docs and /openapi.json. The gateway requires a signature or JWT for these too, so browsers need a proxy that adds it."
  type        = bool
}

variable "log_level" {
  description = "LOG_LEVEL, the minimum level of the log."
  type        = string

  validation {
    condition     = contains(["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], var.log_level)
    error_message = "log_level must be DEBUG, INFO, WARNING, ERROR or CRITICAL."
  }
}

variable "log_retention_days" {
  description = "Days for which CloudWatch keeps the logs."
  type        = number

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days must be a period that CloudWatch offers, such as 7, 30, 90 or 365."
  }
}

variable "metrics_namespace" {
  description = "METRICS_NAMESPACE, the CloudWatch namespace of the service's metrics."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9._/#-]{1,255}$", var.metrics_namespace)) && !startswith(var.metrics_namespace, "AWS/")
    error_message = "metrics_namespace must be 1 to 255 letters, digits and . _ / # -. It must not begin with AWS/."
  }
}

variable "tracing_enabled" {
  description = "Trace the functions with X-Ray."
  type        = bool
}

variable "jwt" {
  description = "Issuer and audiences of the callers' tokens. Null if callers sign with IAM."
  type = object({
    issuer   = string
    audience = list(string)
  })

  validation {
    condition     = var.jwt == null || try(startswith(var.jwt.issuer, "https://") && length(var.jwt.audience) >= 1, false)
    error_message = "jwt must have an issuer that begins with https:// and at least one audience."
  }
}

variable "throttle_rate" {
  description = "Requests per second that the API accepts. It answers others with 429."
  type        = number

  validation {
    condition     = var.throttle_rate > 0 && var.throttle_rate <= 10000
    error_message = "throttle_rate must be above 0 and at most 10000."
  }
}

variable "throttle_burst" {
  description = "Requests in one burst that the API accepts."
  type        = number

  validation {
    condition     = var.throttle_burst >= 1 && var.throttle_burst <= 5000 && floor(var.throttle_burst) == var.throttle_burst
    error_message = "throttle_burst must be a whole number from 1 to 5000."
  }
}

variable "custom_domain" {
  description = "Host name of the API and its ACM certificate in the same region. Null for the default host name."
  type = object({
    domain_name     = string
    certificate_arn = string
  })

  validation {
    condition     = var.custom_domain == null || can(regex("^[a-z0-9-]+(\\.[a-z0-9-]+)+$", var.custom_domain.domain_name)) && can(regex("^arn:[a-z-]+:acm:", var.custom_domain.certificate_arn))
    error_message = "custom_domain must have a host name in lower case and the ARN of an ACM certificate."
  }
}

variable "queue_retention_days" {
  description = "Days for which the queue keeps a record."
  type        = number
  default     = 14

  validation {
    # 1000 receives 6 minutes apart take four days. A shorter retention would drop records before SQS moves them.
    condition     = var.queue_retention_days >= 5 && var.queue_retention_days <= 14 && floor(var.queue_retention_days) == var.queue_retention_days
    error_message = "queue_retention_days must be a whole number from 5 to 14, the maximum of SQS."
  }
}

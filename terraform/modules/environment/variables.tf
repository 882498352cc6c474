variable "project" {
  description = "Name of the project and prefix of its resources, as in problem/project.json."
  type = object({
    name   = string
    prefix = string
  })

  validation {
    condition     = can(regex("^[a-z][a-z0-9]*(-[a-z0-9]+)*$", var.project.name))
    error_message = "project.name must be lower-case words of letters and digits, joined by hyphens."
  }

  validation {
    # Role names in PostgreSQL, bucket names and IAM role names begin with it.
    condition     = can(regex("^[a-z][a-z0-9]{1,19}$", var.project.prefix))
    error_message = "project.prefix must be 2 to 20 lower-case letters and digits, with a letter first."
  }
}

variable "environment" {
  description = "Name of the environment, such as dev. Resource names begin with the prefix and this name."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9]{1,9}$", var.environment))
    error_message = "environment must be 2 to 10 lower-case letters and digits, with a letter first."
  }
}

variable "account_id" {
  description = "AWS account of the environment."
  type        = string

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "account_id must be 12 digits."
  }
}

variable "region" {
  description = "AWS region of the environment."
  type        = string

  validation {
    condition     = can(regex("^[a-z]{2,3}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region must be an AWS region, such as eu-west-1."
  }
}

variable "image_uri" {
  description = "Image of the functions in ECR, by digest."
  type        = string
}

variable "analyse_image_uri" {
  description = "Image analyse in ECR, by digest, for the functions maintain and monitor."
  type        = string
}

variable "features" {
  description = "The columns of the features in the exported files, as in problem/columns.json."
  type        = list(object({ name = string, type = string }))
}

# The module that receives a setting checks its range and states the limit in its error message.
variable "settings" {
  description = "Everything in which environments differ. Defaults protect data and cost nothing extra."
  type = object({
    # Private IPv4 range of the VPC. Environments must not overlap if their VPCs are ever to be peered.
    vpc_cidr = string
    # Names of the two availability zones. By default the first two that offer RDS Proxy. An environment that must keep
    # its zones names them: a zone that AWS adds or closes could otherwise move its subnets.
    availability_zones = optional(list(string))
    # Make a tunnel by which a person reaches the database.
    tunnel_enabled = optional(bool, false)

    # RDS instance class, such as db.t4g.micro.
    instance_class = string
    # Initial storage, and the limit up to which RDS may extend it.
    allocated_storage_gb     = optional(number, 20)
    max_allocated_storage_gb = number
    # Keep a standby instance in the second zone.
    multi_az = optional(bool, true)
    # Days for which the database can be restored to any point in time. RDS keeps 35 at most.
    backup_retention_days = optional(number, 35)
    # Refuse to delete the database.
    deletion_protection = optional(bool, true)
    # Delete the database without a final snapshot and with its backups.
    skip_final_snapshot = optional(bool, false)
    # Increase by one to replace the passwords of the database roles.
    secret_version = optional(number, 1)

    # Whole months for which the database keeps a record after its own. Then it is only in the exported files. Null for
    # ever.
    retention_months = optional(number)
    # Days after which an Idempotency-Key expires.
    idempotency_days = optional(number, 30)
    # Days of predictions in which monitor looks for drift.
    monitor_window_days = optional(number, 30)
    # Share of outcomes outside their intervals that is tolerated beyond the promised one.
    coverage_tolerance = optional(number, 0.04)
    # False alarms of drift to expect in a year without drift.
    drift_false_alarms_per_year = optional(number, 1)
    # Days for which overwritten or deleted models and exported files can be restored.
    noncurrent_version_days = optional(number, 365)
    # Delete the buckets even if they hold models and records.
    force_destroy = optional(bool, false)
    # ARNs of the roles that alone may change which model is served. Empty: whoever IAM allows to.
    publisher_role_arns = optional(list(string), [])
    # Mode (GOVERNANCE, COMPLIANCE) and days for which nothing in the model bucket can be deleted. Only a new bucket can
    # have it: setting it replaces the bucket.
    model_object_lock = optional(object({
      mode = string
      days = number
    }))

    # Memory of each function but maintain and monitor. Lambda gives a full CPU from 1769 MB.
    memory_mb = optional(number, 1769)
    # Maximum number of requests served at the same time, which Lambda reserves. Null reserves nothing, for accounts with
    # a small quota: AWS keeps 100 executions of it unreserved, and a new account may have 10 in all.
    api_reserved_concurrency = optional(number)
    # Maximum number of queue batches stored at the same time.
    replay_concurrency = optional(number, 2)
    # Execution environments of api that Lambda keeps initialised.
    provisioned_concurrency = optional(number, 0)
    # EventBridge schedule of a request that keeps one execution environment of api warm.
    keep_warm_schedule = optional(string)
    # Minimum time between two checks for a new model.
    model_refresh_seconds = optional(number, 60)
    # Milliseconds that a candidate may take for up to 100 cases of a request, and in proportion for more.
    candidate_max_ms = optional(number, 250)
    # Serve the page, /docs and /openapi.json.
    pages_enabled = optional(bool, true)

    # Requests per second, and requests in one burst, that the API accepts. It answers others with 429.
    throttle_rate  = number
    throttle_burst = number
    # Issuer and audiences of the callers' tokens. Without it, callers sign with IAM.
    jwt = optional(object({
      issuer   = string
      audience = list(string)
    }))
    # Host name of the API and its ACM certificate in the same region.
    custom_domain = optional(object({
      domain_name     = string
      certificate_arn = string
    }))

    # Level and retention of the logs, and tracing of the functions with X-Ray.
    log_level          = optional(string, "INFO")
    log_retention_days = number
    tracing_enabled    = optional(bool, false)
    # Address that receives alarms. It must confirm the subscription.
    alarm_email = optional(string)
    # Alarm thresholds that differ from the defaults of the module observability.
    thresholds = optional(object({
      server_error_share     = optional(number)
      gateway_5xx_share      = optional(number)
      latency_p99_ms         = optional(number)
      queue_age_seconds      = optional(number)
      pinned_connections     = optional(number)
      database_cpu_percent   = optional(number)
      database_free_bytes    = optional(number)
      database_connections   = optional(number)
      throttled_invocations  = optional(number)
      failed_invocations     = optional(number)
      replay_failed_messages = optional(number)
      candidate_latency_ms   = optional(number)
      disagreement_share     = optional(number)
      # Alarm if fewer of the outcomes that are due have come. Null for no such alarm.
      outcome_share = optional(number)
    }), {})
  })
}

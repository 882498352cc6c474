variable "name" {
  description = "Prefix of all names."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,39}$", var.name))
    error_message = "name must be 2 to 40 lower-case letters, digits and hyphens, with a letter first."
  }
}

variable "metrics_namespace" {
  description = "METRICS_NAMESPACE of the functions."
  type        = string
}

variable "service_name" {
  description = "SERVICE_NAME of the functions."
  type        = string
}

variable "function_names" {
  description = "Names of the functions, by key."
  type        = map(string)

  validation {
    condition     = toset(keys(var.function_names)) == toset(["api", "replay", "migrate", "maintain", "monitor"])
    error_message = "function_names must have exactly the keys api, replay, migrate, maintain and monitor."
  }
}

variable "log_group_names" {
  description = "Names of the functions' log groups, by key."
  type        = map(string)

  validation {
    condition     = toset(keys(var.log_group_names)) == toset(["api", "replay", "migrate", "maintain", "monitor"])
    error_message = "log_group_names must have exactly the keys api, replay, migrate, maintain and monitor."
  }
}

variable "api_id" {
  description = "Id of the HTTP API."
  type        = string
}

variable "stage_name" {
  description = "Stage of the HTTP API."
  type        = string
}

variable "queue_name" {
  description = "Name of the queue for records that the database did not accept."
  type        = string
}

variable "dead_letter_queue_name" {
  description = "Name of the dead-letter queue."
  type        = string
}

variable "proxy_name" {
  description = "Name of RDS Proxy."
  type        = string
}

variable "instance_identifier" {
  description = "Identifier of the database instance."
  type        = string
}

variable "alarm_email" {
  description = "Address that receives alarms. It must confirm the subscription. Null for none."
  type        = string

  validation {
    condition     = var.alarm_email == null || can(regex("^[^@\\s]+@[^@\\s]+$", var.alarm_email))
    error_message = "alarm_email must be one e-mail address or null."
  }
}

variable "drift_false_alarms_per_year" {
  description = "DRIFT_FALSE_ALARMS_PER_YEAR of the function monitor, which the alarm's description states."
  type        = number
}

variable "candidate_max_ms" {
  description = "CANDIDATE_MAX_MS of the functions. A candidate that is slower has failed, and its time is not measured."
  type        = number
}

variable "thresholds" {
  description = "Values above which (database_free_bytes, outcome_share: below which) an alarm is raised. Shares are from 0 to 1. Without outcome_share, no alarm watches it."
  type = object({
    server_error_share     = optional(number, 0.01)
    gateway_5xx_share      = optional(number, 0.01)
    latency_p99_ms         = optional(number, 3000)
    queue_age_seconds      = optional(number, 900)
    pinned_connections     = optional(number, 0)
    database_cpu_percent   = optional(number, 80)
    database_free_bytes    = optional(number, 4294967296)
    database_connections   = optional(number, 60)
    throttled_invocations  = optional(number, 0)
    failed_invocations     = optional(number, 0)
    replay_failed_messages = optional(number, 0)
    candidate_latency_ms   = optional(number, 50)
    disagreement_share     = optional(number, 0.1)
    outcome_share          = optional(number)
  })

  validation {
    condition     = alltrue([for value in values(var.thresholds) : value == null ? true : value >= 0])
    error_message = "Every threshold must be 0 or more."
  }

  validation {
    condition     = alltrue([for name in ["server_error_share", "gateway_5xx_share", "disagreement_share"] : var.thresholds[name] < 1])
    error_message = "server_error_share, gateway_5xx_share and disagreement_share must be below 1. No share can exceed it."
  }

  validation {
    condition     = var.thresholds.candidate_latency_ms < var.candidate_max_ms
    error_message = "candidate_latency_ms must be below candidate_max_ms. A slower candidate has failed, and its time is not measured."
  }

  validation {
    condition     = var.thresholds.outcome_share == null || try(var.thresholds.outcome_share <= 1, false)
    error_message = "outcome_share must be at most 1, or null."
  }

  validation {
    condition     = var.thresholds.database_cpu_percent < 100
    error_message = "database_cpu_percent must be below 100."
  }
}

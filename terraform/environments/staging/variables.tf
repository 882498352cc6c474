variable "account_id" {
  description = "The AWS account of this environment; the provider refuses every other."
  type        = string

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "account_id must be 12 digits."
  }
}

variable "region" {
  description = "The region of everything."
  type        = string
  default     = "eu-west-1"

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region must be the name of a region, such as eu-west-1."
  }
}

variable "image_uri" {
  description = "The image to run, by its digest."
  type        = string
}

variable "alarm_email" {
  description = "Who is told of alarms; null for nobody."
  type        = string
  default     = null
}

variable "secret_version" {
  description = "A higher number than the last gives the database's roles new passwords."
  type        = number
  default     = 1
}

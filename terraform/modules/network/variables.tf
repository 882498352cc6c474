variable "name" {
  description = "Prefix of all names."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,30}[a-z0-9]$", var.name)) && !strcontains(var.name, "--")
    error_message = "name must be 3 to 32 lower-case letters, digits and single hyphens. It must begin with a letter and not end with a hyphen."
  }
}

variable "vpc_cidr" {
  description = "Private IPv4 range of the VPC. Each of the two subnets gets a quarter of it."
  type        = string

  validation {
    condition     = can(cidrsubnet(var.vpc_cidr, 0, 0)) && try(cidrsubnet(var.vpc_cidr, 0, 0) == var.vpc_cidr, false)
    error_message = "vpc_cidr must be an IPv4 range without host bits, such as 10.20.0.0/20."
  }

  validation {
    condition     = try(tonumber(split("/", var.vpc_cidr)[1]) >= 16 && tonumber(split("/", var.vpc_cidr)[1]) <= 24, false)
    error_message = "vpc_cidr must have a prefix length from /16 to /24."
  }

  validation {
    condition     = can(regex("^(10\\.|172\\.(1[6-9]|2[0-9]|3[01])\\.|192\\.168\\.)", var.vpc_cidr))
    error_message = "vpc_cidr must be part of 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16."
  }
}

variable "availability_zones" {
  description = "Availability zones of the two subnets, because RDS and its proxy need two. Null for the first two of the region that offer RDS Proxy."
  type        = list(string)
  default     = null

  validation {
    condition     = var.availability_zones == null || try(length(var.availability_zones) == 2 && length(distinct(var.availability_zones)) == 2, false)
    error_message = "availability_zones must be exactly two different zones, or null."
  }
}

variable "network_policy_ids" {
  description = "Policies that must outlive the functions' network interfaces, and so the subnets and security groups."
  type        = list(string)
}

variable "tunnel_enabled" {
  description = "Make a tunnel by which a person with permissions of the account reaches the database. docs/operations.md describes its use."
  type        = bool
  default     = false
}

variable "interface_endpoints" {
  description = "Short names of the AWS services that get an interface endpoint. S3 has a gateway endpoint."
  type        = set(string)
  default     = ["secretsmanager", "sqs"]

  validation {
    condition     = alltrue([for service in var.interface_endpoints : can(regex("^[a-z][a-z0-9.-]*$", service))])
    error_message = "interface_endpoints must be short names in lower case, such as sqs."
  }

  validation {
    condition     = !contains(var.interface_endpoints, "s3")
    error_message = "interface_endpoints must not contain s3, which has a gateway endpoint."
  }
}

# The resources that environments need first: the state bucket, the image repository, and the roles with which GitHub
# Actions deploys without keys. An administrator applies it once per account, first without a backend, because the
# bucket does not exist yet. state.tf explains how to move the state into the bucket.

provider "aws" {
  region              = var.region
  allowed_account_ids = [var.account_id]

  default_tags {
    tags = {
      project    = local.project.name
      managed_by = "terraform/bootstrap"
    }
  }
}

data "aws_partition" "current" {}

locals {
  project = jsondecode(file("${path.module}/../../problem/project.json"))
  prefix  = local.project.prefix

  # Region and account, as in ARNs.
  arn_tail = "${var.region}:${var.account_id}"
  arn      = "arn:${data.aws_partition.current.partition}"
}

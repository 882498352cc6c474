# What has to be there before an environment can be: the bucket of the states, the repository of the image, and the
# roles by which GitHub Actions deploys without a key. Applied once an account, by a person with rights to do so:
# first without a backend, since the bucket is not there yet; state.tf says how the state then moves into it.

provider "aws" {
  region              = var.region
  allowed_account_ids = [var.account_id]

  default_tags {
    tags = {
      project    = var.name
      managed_by = "terraform/bootstrap"
    }
  }
}

data "aws_partition" "current" {}

locals {
  # Before an ARN's last part.
  arn_tail = "${var.region}:${var.account_id}"
  arn      = "arn:${data.aws_partition.current.partition}"
}

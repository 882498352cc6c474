# Two private subnets without a route to the internet. The functions call only the proxy, S3 and a few AWS services,
# and reach all of them inside the VPC.

data "aws_region" "current" {}

data "aws_caller_identity" "current" {}

data "aws_availability_zones" "with_proxy" {
  #checkov:skip=CKV_AWS_394:Only the first two zones count, and an environment that must keep its zones names them.
  state = "available"
  # These have no RDS Proxy. It would leave out their subnets without an error. An id means the same zone in every account.
  exclude_zone_ids = ["use1-az3", "use1-az6"]

  # Without local zones and wavelength zones.
  filter {
    name   = "opt-in-status"
    values = ["opt-in-not-required"]
  }
}

locals {
  # The provider sorts the names.
  zones = var.availability_zones == null ? slice(data.aws_availability_zones.with_proxy.names, 0, 2) : var.availability_zones
}

resource "aws_vpc" "this" {
  #checkov:skip=CKV2_AWS_11:No traffic can leave the VPC, and the proxy and PostgreSQL log connections.
  cidr_block = var.vpc_cidr

  # The private DNS names of the endpoints need both.
  enable_dns_support   = true
  enable_dns_hostnames = true

  tags = { Name = var.name }
}

resource "aws_subnet" "private" {
  for_each = { for index, zone in local.zones : zone => index }

  vpc_id            = aws_vpc.this.id
  availability_zone = each.key
  # A quarter for each subnet. Two quarters stay free.
  cidr_block              = cidrsubnet(var.vpc_cidr, 2, each.value)
  map_public_ip_on_launch = false

  tags = { Name = "${var.name}-private-${each.key}" }

  depends_on = [var.network_policy_ids]
}

# Routes to the VPC itself and to the gateway endpoint of S3. No default route.
resource "aws_route_table" "private" {
  vpc_id = aws_vpc.this.id

  tags = { Name = "${var.name}-private" }
}

resource "aws_route_table_association" "private" {
  for_each = aws_subnet.private

  subnet_id      = each.value.id
  route_table_id = aws_route_table.private.id
}

# Resources without a security group get this one, which allows no traffic.
resource "aws_default_security_group" "this" {
  vpc_id = aws_vpc.this.id

  tags = { Name = "${var.name}-default-unused" }
}

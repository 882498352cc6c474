locals {
  groups = merge(
    {
      functions = "The functions"
      proxy     = "RDS Proxy"
      database  = "PostgreSQL"
      endpoints = "Interface endpoints of AWS services"
    },
    var.tunnel_enabled ? {
      tunnel = "EC2 Instance Connect Endpoint"
      host   = "The host of the tunnel"
    } : {},
  )

  # All connections that may be opened inside the VPC. Each becomes a rule at both ends, so that the ends always match.
  # The database and the endpoints open no connections.
  edges = merge(
    {
      functions_to_proxy     = { from = "functions", to = "proxy", port = 5432 }
      functions_to_endpoints = { from = "functions", to = "endpoints", port = 443 }
      proxy_to_database      = { from = "proxy", to = "database", port = 5432 }
    },
    var.tunnel_enabled ? {
      tunnel_to_host   = { from = "tunnel", to = "host", port = 22 }
      host_to_database = { from = "host", to = "database", port = 5432 }
    } : {},
  )
}

resource "aws_security_group" "this" {
  #checkov:skip=CKV2_AWS_5:The modules database and service attach the other groups.
  for_each = local.groups

  name        = "${var.name}-${each.key}"
  description = each.value
  vpc_id      = aws_vpc.this.id

  tags = { Name = "${var.name}-${each.key}" }

  depends_on = [var.network_policy_ids]
}

resource "aws_vpc_security_group_egress_rule" "this" {
  for_each = local.edges

  security_group_id            = aws_security_group.this[each.value.from].id
  referenced_security_group_id = aws_security_group.this[each.value.to].id
  ip_protocol                  = "tcp"
  from_port                    = each.value.port
  to_port                      = each.value.port
  description                  = "To ${each.value.to}"
}

resource "aws_vpc_security_group_ingress_rule" "this" {
  for_each = local.edges

  security_group_id            = aws_security_group.this[each.value.to].id
  referenced_security_group_id = aws_security_group.this[each.value.from].id
  ip_protocol                  = "tcp"
  from_port                    = each.value.port
  to_port                      = each.value.port
  description                  = "From ${each.value.from}"
}

# A gateway endpoint has no security group, only a prefix list. All functions share one group, but only the roles of api
# and maintain have permissions for a bucket.
resource "aws_vpc_security_group_egress_rule" "functions_to_s3" {
  security_group_id = aws_security_group.this["functions"].id
  prefix_list_id    = aws_vpc_endpoint.s3.prefix_list_id
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  description       = "To S3"
}

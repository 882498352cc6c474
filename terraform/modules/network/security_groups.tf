locals {
  groups = {
    functions = "The functions api, replay and migrate"
    proxy     = "RDS Proxy"
    database  = "PostgreSQL"
    endpoints = "Interface endpoints of AWS services"
  }

  # Every connection that may be opened inside the VPC; each becomes one rule at either end, so that the two ends cannot
  # drift apart. No edge starts at the database or the endpoints: they only answer.
  edges = {
    functions_to_proxy     = { from = "functions", to = "proxy", port = 5432 }
    functions_to_endpoints = { from = "functions", to = "endpoints", port = 443 }
    proxy_to_database      = { from = "proxy", to = "database", port = 5432 }
  }
}

resource "aws_security_group" "this" {
  #checkov:skip=CKV2_AWS_5:The modules database and service attach the groups that are not the endpoints'.
  for_each = local.groups

  name        = "${var.name}-${each.key}"
  description = each.value
  vpc_id      = aws_vpc.this.id

  tags = { Name = "${var.name}-${each.key}" }
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

# A gateway has no security group of its own; its addresses are a prefix list. Only api needs the model, and it shares
# the group with the others, whose roles have no right to any bucket.
resource "aws_vpc_security_group_egress_rule" "functions_to_s3" {
  security_group_id = aws_security_group.this["functions"].id
  prefix_list_id    = aws_vpc_endpoint.s3.prefix_list_id
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  description       = "To S3"
}

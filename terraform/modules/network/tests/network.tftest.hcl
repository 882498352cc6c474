mock_provider "aws" {
  mock_data "aws_region" {
    defaults = { name = "eu-west-1" }
  }

  mock_data "aws_availability_zones" {
    defaults = { names = ["eu-west-1a", "eu-west-1c", "eu-west-1d"] }
  }

  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }

  mock_data "aws_ssm_parameter" {
    defaults = { insecure_value = "ami-0123456789abcdef0" }
  }

  override_resource {
    target = aws_vpc_endpoint.s3
    values = { prefix_list_id = "pl-s3" }
  }
}

variables {
  name               = "sample-dev"
  vpc_cidr           = "10.20.0.0/20"
  availability_zones = ["eu-west-1b", "eu-west-1a"]
  network_policy_ids = []
}

run "network" {
  assert {
    condition = [for zone in var.availability_zones : aws_subnet.private[zone].cidr_block] == [
      "10.20.0.0/22", "10.20.4.0/22",
    ]
    error_message = "Each zone must get a quarter of the VPC."
  }

  assert {
    condition     = output.private_subnet_ids == [for zone in var.availability_zones : aws_subnet.private[zone].id]
    error_message = "The output must list the subnets in the order of the zones."
  }

  assert {
    condition     = alltrue([for subnet in aws_subnet.private : !subnet.map_public_ip_on_launch])
    error_message = "No subnet may assign public addresses."
  }

  assert {
    condition     = aws_vpc.this.enable_dns_support && aws_vpc.this.enable_dns_hostnames
    error_message = "The endpoints' private names need DNS support and DNS host names."
  }

  assert {
    condition     = toset(keys(aws_route_table_association.private)) == toset(var.availability_zones)
    error_message = "Both subnets must use the private route table."
  }

  assert {
    condition = toset([
      for rule in aws_vpc_security_group_egress_rule.this :
      join(" ", [rule.security_group_id, rule.referenced_security_group_id, rule.ip_protocol, rule.from_port, rule.to_port])
      ]) == toset([
      "${output.function_security_group_id} ${output.proxy_security_group_id} tcp 5432 5432",
      "${output.function_security_group_id} ${aws_security_group.this["endpoints"].id} tcp 443 443",
      "${output.proxy_security_group_id} ${output.database_security_group_id} tcp 5432 5432",
    ])
    error_message = "There must be exactly these three egress rules. The database and the endpoints have none."
  }

  assert {
    condition = {
      for name, rule in aws_vpc_security_group_ingress_rule.this : name => [
        rule.referenced_security_group_id, rule.security_group_id, rule.ip_protocol, rule.from_port, rule.to_port
      ]
      } == {
      for name, rule in aws_vpc_security_group_egress_rule.this : name => [
        rule.security_group_id, rule.referenced_security_group_id, rule.ip_protocol, rule.from_port, rule.to_port
      ]
    }
    error_message = "Each egress rule must have one ingress rule at the other end. No other ingress rule may exist."
  }

  assert {
    condition = alltrue(flatten([
      for rules in [aws_vpc_security_group_egress_rule.this, aws_vpc_security_group_ingress_rule.this] :
      [for rule in rules : rule.cidr_ipv4 == null && rule.cidr_ipv6 == null && rule.prefix_list_id == null]
    ]))
    error_message = "Rules must name groups, not addresses."
  }

  assert {
    condition = (
      aws_vpc_security_group_egress_rule.functions_to_s3.security_group_id == output.function_security_group_id
      && aws_vpc_security_group_egress_rule.functions_to_s3.prefix_list_id == "pl-s3"
      && aws_vpc_security_group_egress_rule.functions_to_s3.ip_protocol == "tcp"
      && aws_vpc_security_group_egress_rule.functions_to_s3.from_port == 443
      && aws_vpc_security_group_egress_rule.functions_to_s3.to_port == 443
    )
    error_message = "The functions must be able to reach S3's prefix list on port 443."
  }

  assert {
    condition = length(distinct([
      output.function_security_group_id, output.proxy_security_group_id, output.database_security_group_id, aws_security_group.this["endpoints"].id,
    ])) == 4
    error_message = "The four security groups must be different."
  }

  assert {
    condition = (
      aws_default_security_group.this.vpc_id == aws_vpc.this.id
      && length(aws_default_security_group.this.ingress) == 0
      && length(aws_default_security_group.this.egress) == 0
    )
    error_message = "The default security group must allow no traffic."
  }

  assert {
    condition = {
      for service, endpoint in aws_vpc_endpoint.interface : service => [endpoint.service_name, endpoint.private_dns_enabled]
      } == {
      secretsmanager = ["com.amazonaws.eu-west-1.secretsmanager", true]
      sqs            = ["com.amazonaws.eu-west-1.sqs", true]
    }
    error_message = "SQS and Secrets Manager must have endpoints under their usual names."
  }

  assert {
    condition = alltrue([
      for endpoint in aws_vpc_endpoint.interface :
      endpoint.security_group_ids == toset([aws_security_group.this["endpoints"].id])
      && endpoint.subnet_ids == toset(output.private_subnet_ids)
    ])
    error_message = "Interface endpoints must be in both subnets and in their security group."
  }

  assert {
    condition = (
      aws_vpc_endpoint.s3.vpc_endpoint_type == "Gateway"
      && aws_vpc_endpoint.s3.service_name == "com.amazonaws.eu-west-1.s3"
      && aws_vpc_endpoint.s3.route_table_ids == toset([aws_route_table.private.id])
    )
    error_message = "S3 must have a gateway in the private route table."
  }

  assert {
    condition = alltrue([
      for endpoint in concat([aws_vpc_endpoint.s3], values(aws_vpc_endpoint.interface)) :
      [for statement in jsondecode(endpoint.policy).Statement : [statement.Effect, statement.Condition]] == [[
        "Allow",
        { StringEquals = { "aws:PrincipalAccount" = "123456789012", "aws:ResourceAccount" = "123456789012" } },
      ]]
    ])
    error_message = "Endpoints must serve only principals and resources of this account."
  }
}

run "no_tunnel_by_default" {
  assert {
    condition     = length(aws_instance.host) == 0 && length(aws_ec2_instance_connect_endpoint.this) == 0 && output.tunnel_host_id == null
    error_message = "By default, there must be no tunnel."
  }
}

run "a_tunnel_leads_by_its_host_to_the_database_alone" {
  variables {
    tunnel_enabled = true
  }

  assert {
    condition = {
      for name, rule in aws_vpc_security_group_egress_rule.this : name => rule.to_port
      if contains([aws_security_group.this["tunnel"].id, aws_security_group.this["host"].id], rule.security_group_id)
    } == { tunnel_to_host = 22, host_to_database = 5432 }
    error_message = "The endpoint may reach SSH on the host, and the host PostgreSQL."
  }

  assert {
    condition = (
      aws_ec2_instance_connect_endpoint.this[0].security_group_ids == toset([aws_security_group.this["tunnel"].id])
      && aws_ec2_instance_connect_endpoint.this[0].subnet_id == aws_subnet.private["eu-west-1b"].id
      && !aws_ec2_instance_connect_endpoint.this[0].preserve_client_ip
    )
    error_message = "The endpoint must be in its group, and hide the address of the client."
  }

  assert {
    condition = (
      aws_instance.host[0].vpc_security_group_ids == toset([aws_security_group.this["host"].id])
      && !aws_instance.host[0].associate_public_ip_address
      && aws_instance.host[0].metadata_options[0].http_tokens == "required"
      && aws_instance.host[0].root_block_device[0].encrypted
      && aws_instance.host[0].ami == "ami-0123456789abcdef0"
      && output.tunnel_host_id == aws_instance.host[0].id
    )
    error_message = "The host must be private, encrypted, and of Amazon's image."
  }
}

run "zones_are_found" {
  variables {
    availability_zones = null
  }

  assert {
    condition     = toset(keys(aws_subnet.private)) == toset(["eu-west-1a", "eu-west-1c"])
    error_message = "The subnets must be in the first two zones that are offered."
  }

  assert {
    condition = (
      data.aws_availability_zones.with_proxy.state == "available"
      && data.aws_availability_zones.with_proxy.exclude_zone_ids == toset(["use1-az3", "use1-az6"])
      && jsonencode([for filter in data.aws_availability_zones.with_proxy.filter : [filter.name, filter.values]]) == jsonencode([["opt-in-status", ["opt-in-not-required"]]])
    )
    error_message = "Only open zones with RDS Proxy may be offered."
  }
}

run "endpoints_can_be_chosen" {
  variables {
    interface_endpoints = ["sqs"]
  }

  assert {
    condition     = keys(aws_vpc_endpoint.interface) == ["sqs"]
    error_message = "Only the named services get an interface endpoint."
  }
}

run "rejects_a_small_range_one_zone_and_a_second_endpoint_of_s3" {
  command         = plan
  expect_failures = [var.name, var.vpc_cidr, var.availability_zones, var.interface_endpoints]

  variables {
    name                = "Sample"
    vpc_cidr            = "10.20.0.0/25"
    availability_zones  = ["eu-west-1a"]
    interface_endpoints = ["s3", "sqs"]
  }
}

run "rejects_host_bits_and_the_same_zone_twice" {
  command         = plan
  expect_failures = [var.vpc_cidr, var.availability_zones]

  variables {
    vpc_cidr           = "10.20.0.1/20"
    availability_zones = ["eu-west-1a", "eu-west-1a"]
  }
}

run "rejects_public_addresses" {
  command         = plan
  expect_failures = [var.vpc_cidr]

  variables {
    vpc_cidr = "8.8.0.0/16"
  }
}

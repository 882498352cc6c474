output "vpc_id" {
  description = "Id of the VPC."
  value       = aws_vpc.this.id
}

output "private_subnet_ids" {
  description = "Ids of the two private subnets, in the order of the zones."
  value       = [for zone in local.zones : aws_subnet.private[zone].id]
}

output "function_security_group_id" {
  description = "Id of the security group of the functions."
  value       = aws_security_group.this["functions"].id
}

output "proxy_security_group_id" {
  description = "Id of the security group of RDS Proxy."
  value       = aws_security_group.this["proxy"].id
}

output "database_security_group_id" {
  description = "Id of the security group of PostgreSQL."
  value       = aws_security_group.this["database"].id
}

output "tunnel_host_id" {
  description = "Id of the host of the tunnel to the database. Null without a tunnel."
  value       = one(aws_instance.host[*].id)
}

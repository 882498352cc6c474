output "vpc_id" {
  description = "The VPC."
  value       = aws_vpc.this.id
}

output "private_subnet_ids" {
  description = "The two private subnets, in the order of availability_zones."
  value       = [for zone in var.availability_zones : aws_subnet.private[zone].id]
}

output "function_security_group_id" {
  description = "For the functions api, replay and migrate."
  value       = aws_security_group.this["functions"].id
}

output "proxy_security_group_id" {
  description = "For RDS Proxy."
  value       = aws_security_group.this["proxy"].id
}

output "database_security_group_id" {
  description = "For PostgreSQL."
  value       = aws_security_group.this["database"].id
}

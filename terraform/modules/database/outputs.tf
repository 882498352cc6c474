output "database_name" {
  description = "Name of the database."
  value       = aws_db_instance.this.db_name
}

output "database_port" {
  description = "Port of instance and proxy."
  value       = aws_db_instance.this.port
}

output "instance_identifier" {
  description = "The instance as CloudWatch names it."
  value       = aws_db_instance.this.identifier
}

output "proxy_name" {
  description = "The proxy as CloudWatch names it."
  value       = aws_db_proxy.this.name
}

output "proxy_endpoint" {
  description = "Host name of the proxy, for the functions; known when its target is there."
  value       = aws_db_proxy.this.endpoint
  depends_on  = [aws_db_proxy_target.this]
}

output "proxy_resource_id" {
  description = "The proxy as rds-db:connect names it (prx-…), which only its ARN tells."
  value       = element(split(":", aws_db_proxy.this.arn), 6)
}

output "master_user_name" {
  description = "The master user, who owns the tables."
  value       = aws_db_instance.this.username
}

output "role_secret_arns" {
  description = "Secret of each role."
  value       = { for role in var.roles : role => aws_secretsmanager_secret.role[role].arn }
}

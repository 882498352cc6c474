output "database_name" {
  description = "Name of the database."
  value       = aws_db_instance.this.db_name
}

output "database_port" {
  description = "Port of the instance and the proxy."
  value       = aws_db_instance.this.port
}

output "instance_endpoint" {
  description = "Host name of the instance, for a person who connects without the proxy."
  value       = aws_db_instance.this.address
}

output "master_secret_arn" {
  description = "ARN of the secret with the password of the master user. RDS rotates it."
  value       = one(aws_db_instance.this.master_user_secret[*].secret_arn)
}

output "instance_identifier" {
  description = "Identifier of the instance, a dimension of its metrics."
  value       = aws_db_instance.this.identifier
}

output "proxy_name" {
  description = "Name of the proxy, a dimension of its metrics."
  value       = aws_db_proxy.this.name
}

output "proxy_endpoint" {
  description = "Host name of the proxy. Known once the proxy has its target."
  value       = aws_db_proxy.this.endpoint
  depends_on  = [aws_db_proxy_target.this]
}

output "proxy_resource_id" {
  description = "Id of the proxy (prx-…) for rds-db:connect. Only its ARN contains it."
  value       = element(split(":", aws_db_proxy.this.arn), 6)
}

output "database_user_names" {
  description = "Database user of each function, by the function's key. migrate is the master user, who owns the tables."
  value       = merge(local.role_names, { migrate = aws_db_instance.this.username })
}

output "role_secret_arns" {
  description = "ARN of the secret of each function's role, by the function's key."
  value       = { for function, secret in aws_secretsmanager_secret.role : function => secret.arn }
}

output "api_url" {
  description = "URL of the API."
  value       = var.custom_domain == null ? aws_apigatewayv2_api.this.api_endpoint : "https://${var.custom_domain.domain_name}"
}

output "api_id" {
  description = "Id of the HTTP API, the dimension ApiId of its metrics."
  value       = aws_apigatewayv2_api.this.id
}

output "stage_name" {
  description = "Stage of the HTTP API, the dimension Stage of its metrics."
  value       = aws_apigatewayv2_stage.default.name
}

output "custom_domain_target" {
  description = "Target of the DNS alias record for the custom domain. Null without a custom domain."
  value = one([for domain in aws_apigatewayv2_domain_name.this : {
    name    = domain.domain_name_configuration[0].target_domain_name
    zone_id = domain.domain_name_configuration[0].hosted_zone_id
  }])
}

output "function_names" {
  description = "Names of the functions api, replay, migrate, maintain and monitor, by key."
  value       = { for key, function in aws_lambda_function.this : key => function.function_name }
}

output "function_arns" {
  description = "ARNs of the functions without a version, by key."
  value       = { for key, function in aws_lambda_function.this : key => function.arn }
}

output "network_policy_ids" {
  description = "Ids of the policies that Lambda needs until the functions' network interfaces are gone."
  value       = [for policy in aws_iam_role_policy.network : policy.id]
}

output "service_name" {
  description = "SERVICE_NAME of the functions, the dimension service of their metrics."
  value       = var.name
}

output "queue_name" {
  description = "Name of the queue for records that the database did not accept."
  value       = aws_sqs_queue.records.name
}

output "queue_url" {
  description = "URL of the queue."
  value       = aws_sqs_queue.records.url
}

output "dead_letter_queue_name" {
  description = "Name of the dead-letter queue."
  value       = aws_sqs_queue.dead_letters.name
}

output "dead_letter_queue_url" {
  description = "URL of the dead-letter queue."
  value       = aws_sqs_queue.dead_letters.url
}

output "log_group_names" {
  description = "Names of the functions' log groups, by key."
  value       = { for key, group in aws_cloudwatch_log_group.function : key => group.name }
}

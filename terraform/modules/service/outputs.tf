output "api_url" {
  description = "Where the API answers."
  value       = var.custom_domain == null ? aws_apigatewayv2_api.this.api_endpoint : "https://${var.custom_domain.domain_name}"
}

output "api_id" {
  description = "Id of the HTTP API, the dimension ApiId of its metrics."
  value       = aws_apigatewayv2_api.this.id
}

output "stage_name" {
  description = "The API's stage, the dimension Stage of its metrics."
  value       = aws_apigatewayv2_stage.default.name
}

output "custom_domain_target" {
  description = "What the custom domain's DNS alias record must point at; null without one."
  value = one([for domain in aws_apigatewayv2_domain_name.this : {
    name    = domain.domain_name_configuration[0].target_domain_name
    zone_id = domain.domain_name_configuration[0].hosted_zone_id
  }])
}

output "function_names" {
  description = "Names of api, replay and migrate."
  value       = { for key, function in aws_lambda_function.this : key => function.function_name }
}

output "function_arns" {
  description = "ARNs of api, replay and migrate, without a version."
  value       = { for key, function in aws_lambda_function.this : key => function.arn }
}

output "service_name" {
  description = "SERVICE_NAME of the functions, the dimension service of their metrics."
  value       = var.name
}

output "queue_name" {
  description = "The queue of records that the database did not take."
  value       = aws_sqs_queue.records.name
}

output "queue_url" {
  description = "Its URL."
  value       = aws_sqs_queue.records.url
}

output "dead_letter_queue_name" {
  description = "The queue of messages that can never be stored."
  value       = aws_sqs_queue.dead_letters.name
}

output "dead_letter_queue_url" {
  description = "Its URL."
  value       = aws_sqs_queue.dead_letters.url
}

output "log_group_names" {
  description = "Log groups of api, replay and migrate."
  value       = { for key, group in aws_cloudwatch_log_group.function : key => group.name }
}

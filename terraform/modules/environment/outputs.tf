output "api_url" {
  description = "URL of the API."
  value       = module.service.api_url
}

output "custom_domain_target" {
  description = "Target of the DNS alias record for the custom domain. Null without a custom domain."
  value       = module.service.custom_domain_target
}

output "model_bucket_name" {
  description = "Bucket to publish models to, for MODEL_BUCKET."
  value       = module.model_store.bucket_name
}

output "function_names" {
  description = "Names of the functions api, replay and migrate, by key."
  value       = module.service.function_names
}

output "queue_url" {
  description = "URL of the queue of records, for QUEUE_URL in docs/operations.md."
  value       = module.service.queue_url
}

output "dead_letter_queue_url" {
  description = "URL of the dead-letter queue, for DEAD_LETTER_QUEUE_URL in docs/operations.md."
  value       = module.service.dead_letter_queue_url
}

output "dashboard_name" {
  description = "Name of the CloudWatch dashboard."
  value       = module.observability.dashboard_name
}

output "topic_arn" {
  description = "ARN of the SNS topic that receives alarms."
  value       = module.observability.topic_arn
}

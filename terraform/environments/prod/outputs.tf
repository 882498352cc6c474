output "api_url" {
  description = "Where the API answers."
  value       = module.service.api_url
}

output "custom_domain_target" {
  description = "What the custom domain's DNS alias record must point at; null without one."
  value       = module.service.custom_domain_target
}

output "model_bucket_name" {
  description = "MODEL_BUCKET for publishing models."
  value       = module.model_store.bucket_name
}

output "function_names" {
  description = "Names of api, replay and migrate."
  value       = module.service.function_names
}

output "queue_url" {
  description = "$QUEUE_URL of docs/operations.md."
  value       = module.service.queue_url
}

output "dead_letter_queue_url" {
  description = "$DEAD_LETTER_QUEUE_URL of docs/operations.md."
  value       = module.service.dead_letter_queue_url
}

output "dashboard_name" {
  description = "The dashboard in CloudWatch."
  value       = module.observability.dashboard_name
}

output "alarm_topic_arn" {
  description = "Where alarms are told."
  value       = module.observability.topic_arn
}

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
  description = "Names of the functions api, replay, migrate, maintain and monitor, by key."
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

output "records_bucket_name" {
  description = "Bucket of the exported records."
  value       = module.records.bucket_name
}

output "query_database_name" {
  description = "Name of the database of the exported records, for queries by Athena."
  value       = module.records.query_database_name
}

output "query_workgroup_name" {
  description = "Name of the workgroup of Athena."
  value       = module.records.query_workgroup_name
}

output "tunnel" {
  description = "What a person needs to reach the database: the host of the tunnel, the instance, the secret with the password. Null without a tunnel."
  value = module.network.tunnel_host_id == null ? null : {
    host_id             = module.network.tunnel_host_id
    database_endpoint   = module.database.instance_endpoint
    database_secret_arn = module.database.master_secret_arn
  }
}

output "dashboard_name" {
  description = "Name of the CloudWatch dashboard."
  value       = module.observability.dashboard_name
}

output "topic_arn" {
  description = "ARN of the SNS topic that receives alarms."
  value       = module.observability.topic_arn
}

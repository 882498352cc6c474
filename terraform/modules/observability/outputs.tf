output "dashboard_name" {
  description = "The dashboard in CloudWatch."
  value       = aws_cloudwatch_dashboard.this.dashboard_name
}

output "alarm_arns" {
  description = "ARNs of the alarms, by their names without the prefix."
  value       = { for key, alarm in aws_cloudwatch_metric_alarm.this : key => alarm.arn }
}

output "topic_arn" {
  description = "Where alarms are told; other subscribers can be added to it."
  value       = aws_sns_topic.alarms.arn
}

output "dashboard_name" {
  description = "Name of the CloudWatch dashboard."
  value       = aws_cloudwatch_dashboard.this.dashboard_name
}

output "alarm_arns" {
  description = "ARNs of the alarms, by their names without the prefix."
  value       = { for key, alarm in aws_cloudwatch_metric_alarm.this : key => alarm.arn }
}

output "topic_arn" {
  description = "ARN of the SNS topic that receives alarms. Other subscribers can be added to it."
  value       = aws_sns_topic.alarms.arn
}

# Keeps one execution environment of api warm by a scheduled request that does not pass API Gateway. The request counts
# in the metric Latency. Concurrent requests still start cold.
resource "aws_cloudwatch_event_rule" "keep_warm" {
  count = var.keep_warm_schedule == null ? 0 : 1

  name                = "${var.name}-keep-warm"
  description         = "Sends GET /health/live to the function api"
  schedule_expression = var.keep_warm_schedule
}

resource "aws_cloudwatch_event_target" "keep_warm" {
  count = var.keep_warm_schedule == null ? 0 : 1

  rule  = aws_cloudwatch_event_rule.keep_warm[0].name
  arn   = aws_lambda_alias.live["api"].arn
  input = jsonencode(jsondecode(file("${path.module}/keep_warm.json")))

  # The schedule sends the next request soon enough.
  retry_policy {
    maximum_event_age_in_seconds = 60
    maximum_retry_attempts       = 0
  }
}

resource "aws_lambda_permission" "keep_warm" {
  count = var.keep_warm_schedule == null ? 0 : 1

  statement_id  = "keep-warm"
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.this["api"].function_name
  qualifier     = aws_lambda_alias.live["api"].name
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.keep_warm[0].arn
}

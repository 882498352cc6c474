# Records that the database did not accept.
resource "aws_sqs_queue" "records" {
  name                      = "${var.name}-records"
  sqs_managed_sse_enabled   = true
  message_retention_seconds = var.queue_retention_days * 86400
  # Six times the timeout of replay, as AWS recommends.
  visibility_timeout_seconds = 6 * local.timeouts.replay

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead_letters.arn
    # During an outage of the database, replay receives good messages again and again. It moves messages that can never
    # be stored to the dead-letter queue itself.
    maxReceiveCount = 1000
  })
}

# Messages that can never be stored.
resource "aws_sqs_queue" "dead_letters" {
  name                    = "${var.name}-dead-letters"
  sqs_managed_sse_enabled = true
  # The maximum of SQS.
  message_retention_seconds = 14 * 86400
}

resource "aws_sqs_queue_redrive_allow_policy" "dead_letters" {
  queue_url = aws_sqs_queue.dead_letters.id

  redrive_allow_policy = jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = [aws_sqs_queue.records.arn]
  })
}

resource "aws_sqs_queue_policy" "tls_only" {
  for_each = {
    records      = aws_sqs_queue.records
    dead_letters = aws_sqs_queue.dead_letters
  }

  queue_url = each.value.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "TlsOnly"
      Effect    = "Deny"
      Principal = "*"
      Action    = "sqs:*"
      Resource  = each.value.arn
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })
}

resource "aws_lambda_event_source_mapping" "replay" {
  event_source_arn = aws_sqs_queue.records.arn
  function_name    = aws_lambda_alias.live["replay"].arn
  batch_size       = 10
  # Without it, one failed message would return its whole batch to the queue.
  function_response_types = ["ReportBatchItemFailures"]

  # Without it, Lambda would receive messages that throttled functions cannot take, and each receive counts.
  scaling_config {
    maximum_concurrency = var.replay_concurrency
  }
}

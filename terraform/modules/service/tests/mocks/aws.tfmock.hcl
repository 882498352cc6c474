mock_data "aws_caller_identity" {
  defaults = { account_id = "123456789012" }
}
mock_data "aws_partition" {
  defaults = { partition = "aws" }
}
mock_data "aws_region" {
  defaults = { name = "eu-west-1" }
}
mock_resource "aws_iam_role" {
  defaults = { arn = "arn:aws:iam::123456789012:role/mock" }
}
mock_resource "aws_cloudwatch_log_group" {
  defaults = { arn = "arn:aws:logs:eu-west-1:123456789012:log-group:mock" }
}
mock_resource "aws_lambda_function" {
  defaults = { arn = "arn:aws:lambda:eu-west-1:123456789012:function:mock", version = "7" }
}
mock_resource "aws_lambda_alias" {
  defaults = {
    arn        = "arn:aws:lambda:eu-west-1:123456789012:function:mock:live"
    invoke_arn = "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/mock:live/invocations"
  }
}
mock_resource "aws_apigatewayv2_api" {
  defaults = {
    execution_arn = "arn:aws:execute-api:eu-west-1:123456789012:api1"
    api_endpoint  = "https://api1.execute-api.eu-west-1.amazonaws.com"
  }
}
mock_resource "aws_cloudwatch_event_rule" {
  defaults = { arn = "arn:aws:events:eu-west-1:123456789012:rule/mock" }
}

override_resource {
  target = aws_sqs_queue.records
  values = {
    arn = "arn:aws:sqs:eu-west-1:123456789012:sample-test-records"
    url = "https://sqs.eu-west-1.amazonaws.com/123456789012/sample-test-records"
    id  = "https://sqs.eu-west-1.amazonaws.com/123456789012/sample-test-records"
  }
}

override_resource {
  target = aws_sqs_queue.dead_letters
  values = {
    arn = "arn:aws:sqs:eu-west-1:123456789012:sample-test-dead-letters"
    url = "https://sqs.eu-west-1.amazonaws.com/123456789012/sample-test-dead-letters"
    id  = "https://sqs.eu-west-1.amazonaws.com/123456789012/sample-test-dead-letters"
  }
}

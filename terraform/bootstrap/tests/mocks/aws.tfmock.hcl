mock_data "aws_partition" {
  defaults = { partition = "aws" }
}

override_resource {
  target = aws_s3_bucket.state
  values = { arn = "arn:aws:s3:::sample-states" }
}

override_resource {
  target = aws_ecr_repository.this
  values = { arn = "arn:aws:ecr:eu-west-1:123456789012:repository/sample" }
}

override_resource {
  target = aws_iam_openid_connect_provider.github
  values = { arn = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com" }
}

account_id        = "123456789012"
region            = "eu-west-1"
github_repository = "owner/sample-service"
environments      = ["dev", "staging"]

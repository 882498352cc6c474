data "aws_region" "current" {}

locals {
  # Whoever comes through the proxy, and the secret that it logs in with then: the functions' roles, and the master user
  # for migrations, whose secret RDS made.
  secret_arns = merge(
    { (local.master_username) = one(aws_db_instance.this.master_user_secret[*].secret_arn) },
    { for role in var.roles : role => aws_secretsmanager_secret.role[role].arn },
  )
}

resource "aws_iam_role" "proxy" {
  name        = "${var.name}-proxy"
  description = "RDS Proxy of ${var.name}: reads the passwords by which it logs in"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "rds.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_role_policy" "proxy" {
  name = "secrets"
  role = aws_iam_role.proxy.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [{
        Sid      = "ReadSecrets"
        Effect   = "Allow"
        Action   = ["secretsmanager:GetSecretValue"]
        Resource = values(local.secret_arns)
      }],
      # The key that AWS manages needs no such right.
      var.kms_key_arn == null ? [] : [{
        Sid       = "DecryptSecrets"
        Effect    = "Allow"
        Action    = ["kms:Decrypt"]
        Resource  = [var.kms_key_arn]
        Condition = { StringEquals = { "kms:ViaService" = "secretsmanager.${data.aws_region.current.name}.amazonaws.com" } }
      }],
    )
  })
}

resource "aws_cloudwatch_log_group" "proxy" {
  #checkov:skip=CKV_AWS_158:CloudWatch encrypts with a key of its own where the caller brings none.
  #checkov:skip=CKV_AWS_338:How long is the caller's decision; no line here is part of the audit record.
  name              = "/aws/rds/proxy/${var.name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

resource "aws_db_proxy" "this" {
  name                   = var.name
  engine_family          = "POSTGRESQL"
  role_arn               = aws_iam_role.proxy.arn
  vpc_subnet_ids         = var.subnet_ids
  vpc_security_group_ids = [var.proxy_security_group_id]
  require_tls            = true
  # Above the 20 minutes after which the functions give up an idle connection themselves.
  idle_client_timeout = 1800
  # Names the reason of each pin; the proxy turns it off again after a day.
  debug_logging = var.proxy_debug_logging

  # A user without a secret cannot come through, and one who has one needs the right rds-db:connect to that very name.
  dynamic "auth" {
    for_each = local.secret_arns

    content {
      auth_scheme = "SECRETS"
      iam_auth    = "REQUIRED"
      secret_arn  = auth.value
      description = auth.key
    }
  }

  # The proxy reads the secrets as it starts, and writes its first line.
  depends_on = [aws_iam_role_policy.proxy, aws_secretsmanager_secret_version.role, aws_cloudwatch_log_group.proxy]
}

resource "aws_db_proxy_default_target_group" "this" {
  db_proxy_name = aws_db_proxy.this.name

  connection_pool_config {
    # The rest is for people, who come past the proxy.
    max_connections_percent = var.max_connections_percent
    # A request gives up after 5 seconds; a connection lent later would serve nobody.
    connection_borrow_timeout = 5
  }
}

resource "aws_db_proxy_target" "this" {
  db_proxy_name          = aws_db_proxy.this.name
  target_group_name      = aws_db_proxy_default_target_group.this.name
  db_instance_identifier = aws_db_instance.this.identifier
}

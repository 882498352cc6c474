data "aws_region" "current" {}

locals {
  # The database users that the proxy accepts, and the secret that it logs in with for each: the functions' roles, and
  # the master user for migrations, whose secret RDS creates.
  secret_arns = merge(
    { (local.master_username) = one(aws_db_instance.this.master_user_secret[*].secret_arn) },
    { for function, role in local.role_names : role => aws_secretsmanager_secret.role[function].arn },
  )
}

resource "aws_iam_role" "proxy" {
  name        = "${var.name}-proxy"
  description = "RDS Proxy of ${var.name}: reads the passwords of the database users"

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
      # The key that AWS manages needs no such permission.
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
  #checkov:skip=CKV_AWS_158:CloudWatch encrypts with its own key unless the caller passes one.
  #checkov:skip=CKV_AWS_338:The caller sets the retention. The audit record is in the table, not in the logs.
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
  # Longer than the 5 minutes after which the functions close an idle connection themselves.
  idle_client_timeout = 1800
  # Logs the reason of each pin. The proxy turns it off after a day.
  debug_logging = var.proxy_debug_logging

  # The proxy rejects users without a secret. The others need the permission rds-db:connect for their name.
  dynamic "auth" {
    for_each = local.secret_arns

    content {
      auth_scheme = "SECRETS"
      iam_auth    = "REQUIRED"
      secret_arn  = auth.value
      description = auth.key
    }
  }

  # The proxy reads the secrets and writes its first log line when it starts.
  depends_on = [aws_iam_role_policy.proxy, aws_secretsmanager_secret_version.role, aws_cloudwatch_log_group.proxy]
}

resource "aws_db_proxy_default_target_group" "this" {
  db_proxy_name = aws_db_proxy.this.name

  connection_pool_config {
    # Administrators connect without the proxy and need the rest.
    max_connections_percent = var.max_connections_percent
    # A request gives up after 5 seconds, so a later connection is useless.
    connection_borrow_timeout = 5
  }
}

resource "aws_db_proxy_target" "this" {
  db_proxy_name          = aws_db_proxy.this.name
  target_group_name      = aws_db_proxy_default_target_group.this.name
  db_instance_identifier = aws_db_instance.this.identifier
}

# The passwords by which the proxy logs in as the functions' roles; a function itself has an IAM token for the proxy and
# no password. They pass through Terraform without being written: not to the state, not to a plan.

# A managed value, so that a first plan, and one that rotates, cannot know it and draws no password in vain.
resource "terraform_data" "password_length" {
  input            = 40
  triggers_replace = var.secret_version
}

ephemeral "aws_secretsmanager_random_password" "role" {
  for_each = var.roles

  password_length = terraform_data.password_length.output
  # In SQL, JSON and URLs alike it needs no quoting.
  exclude_punctuation = true
}

resource "aws_secretsmanager_secret" "role" {
  #checkov:skip=CKV_AWS_149:Encrypted with the key that AWS manages where the caller brings none.
  #checkov:skip=CKV2_AWS_57:Rotated by secret_version, together with the role's password in the database.
  for_each = var.roles

  # A deleted secret keeps its name for days, and would be in the way of the next one.
  name_prefix = "${var.name}-${each.key}-"
  description = "Password of ${each.key}, for RDS Proxy"
  kms_key_id  = var.kms_key_arn
}

resource "aws_secretsmanager_secret_version" "role" {
  for_each = var.roles

  secret_id = aws_secretsmanager_secret.role[each.key].id
  secret_string_wo = jsonencode({
    username = each.key
    password = ephemeral.aws_secretsmanager_random_password.role[each.key].random_password
  })
  secret_string_wo_version = var.secret_version
}

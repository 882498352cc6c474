# Passwords with which the proxy logs in as the functions' roles. The functions themselves have IAM tokens for the proxy
# and no password. Ephemeral values and write-only arguments keep the passwords out of state and plan.

# Unknown in the first plan and after an increase of secret_version, so that planning creates no unused password.
resource "terraform_data" "password_length" {
  input            = 40
  triggers_replace = var.secret_version
}

ephemeral "aws_secretsmanager_random_password" "role" {
  for_each = local.role_names

  password_length = terraform_data.password_length.output
  # Letters and digits need no quoting in SQL, JSON and URLs.
  exclude_punctuation = true
}

resource "aws_secretsmanager_secret" "role" {
  #checkov:skip=CKV_AWS_149:AWS encrypts with its own key unless the caller passes one.
  #checkov:skip=CKV2_AWS_57:secret_version rotates it together with the role's password in the database.
  for_each = local.role_names

  # A deleted secret reserves its name for days, so a fixed name could not be used again.
  name_prefix = "${var.name}-${each.key}-"
  description = "Password of ${each.value}, for RDS Proxy"
  kms_key_id  = var.kms_key_arn
}

resource "aws_secretsmanager_secret_version" "role" {
  for_each = local.role_names

  secret_id = aws_secretsmanager_secret.role[each.key].id
  secret_string_wo = jsonencode({
    username = each.value
    password = ephemeral.aws_secretsmanager_random_password.role[each.key].random_password
  })
  secret_string_wo_version = var.secret_version
}

# One repository for all environments of the account, so that the image tested in one runs in the next.
resource "aws_ecr_repository" "this" {
  #checkov:skip=CKV_AWS_136:ECR's own key is enough for public source code and packages.
  name                 = local.prefix
  image_tag_mutability = "IMMUTABLE"

  image_scanning_configuration {
    scan_on_push = true
  }

  encryption_configuration {
    encryption_type = "AES256"
  }
}

resource "aws_ecr_lifecycle_policy" "this" {
  repository = aws_ecr_repository.this.name

  policy = jsonencode({
    rules = [
      {
        rulePriority = 1
        description  = "Expire untagged images"
        selection    = { tagStatus = "untagged", countType = "sinceImagePushed", countUnit = "days", countNumber = 14 }
        action       = { type = "expire" }
      },
      {
        rulePriority = 2
        # An idle function whose image is gone cannot start again. Keep more images than ever run at the same time.
        description = "Keep the newest images"
        selection   = { tagStatus = "any", countType = "imageCountMoreThan", countNumber = var.images_kept }
        action      = { type = "expire" }
      },
    ]
  })
}

# Lambda pulls the image itself. It would add this policy on its own if deployments could change the policy. The ARN holds
# the account. Lambda sends no other condition key when it pulls an image again.
resource "aws_ecr_repository_policy" "this" {
  repository = aws_ecr_repository.this.name

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "LambdaPulls"
      Effect    = "Allow"
      Principal = { Service = "lambda.amazonaws.com" }
      Action    = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
      Condition = {
        ArnLike = { "aws:SourceArn" = "${local.arn}:lambda:${local.arn_tail}:function:${local.prefix}-*" }
      }
    }]
  })
}

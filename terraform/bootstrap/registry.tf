# One repository for all environments of the account: what was tested in one is what runs in the next.
resource "aws_ecr_repository" "this" {
  #checkov:skip=CKV_AWS_136:ECR's own key is enough: the image is the public source with public packages.
  name                 = var.name
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
        description  = "What has no tag was pushed by mistake"
        selection    = { tagStatus = "untagged", countType = "sinceImagePushed", countUnit = "days", countNumber = 14 }
        action       = { type = "expire" }
      },
      {
        rulePriority = 2
        # A function whose image is gone stops working once Lambda has put it to sleep: keep more than ever run at once.
        description = "The newest images stay"
        selection   = { tagStatus = "any", countType = "imageCountMoreThan", countNumber = var.images_kept }
        action      = { type = "expire" }
      },
    ]
  })
}

# Lambda fetches the image itself. It would write such a policy on its own, if deployments were allowed to change it.
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
        StringEquals = { "aws:SourceAccount" = var.account_id }
        ArnLike      = { "aws:SourceArn" = "${local.arn}:lambda:${local.arn_tail}:function:${var.name}-*" }
      }
    }]
  })
}

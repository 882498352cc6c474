# A way for a person to the database, off by default: an EC2 Instance Connect Endpoint, which needs no address on the
# internet and no key, and a small host. The endpoint connects only to the ports of SSH and RDP, so it needs the host to
# get to PostgreSQL's. IAM decides who may open a tunnel, and CloudTrail records it.

data "aws_ssm_parameter" "image" {
  count = var.tunnel_enabled ? 1 : 0

  # Has EC2 Instance Connect, which takes the key of one login.
  name = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64"
}

resource "aws_instance" "host" {
  #checkov:skip=CKV_AWS_126:Nothing depends on the host, so nobody watches it by the minute.
  #checkov:skip=CKV2_AWS_41:The host calls no AWS service, so it has no role.
  count = var.tunnel_enabled ? 1 : 0

  ami                         = data.aws_ssm_parameter.image[0].insecure_value
  instance_type               = "t4g.nano"
  subnet_id                   = aws_subnet.private[local.zones[0]].id
  vpc_security_group_ids      = [aws_security_group.this["host"].id]
  associate_public_ip_address = false
  ebs_optimized               = true

  metadata_options {
    http_tokens = "required"
  }

  root_block_device {
    encrypted = true
  }

  tags = { Name = "${var.name}-tunnel" }

  lifecycle {
    # A new image is no reason to replace the host. Without the tunnel it is gone, and the next one has the newest image.
    ignore_changes = [ami]
  }
}

resource "aws_ec2_instance_connect_endpoint" "this" {
  count = var.tunnel_enabled ? 1 : 0

  subnet_id          = aws_subnet.private[local.zones[0]].id
  security_group_ids = [aws_security_group.this["tunnel"].id]
  # The host then sees the endpoint's address, so that its security group can name the endpoint's.
  preserve_client_ip = false

  tags = { Name = "${var.name}-tunnel" }
}

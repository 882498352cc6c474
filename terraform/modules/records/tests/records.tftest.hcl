mock_provider "aws" {
  override_resource {
    target = aws_s3_bucket.this
    values = { arn = "arn:aws:s3:::sample-dev-records" }
  }
}

variables {
  name                    = "sample-dev"
  bucket_name             = "sample-dev-records"
  features                = [{ name = "size", type = "double" }, { name = "kind", type = "smallint" }]
  noncurrent_version_days = 30
  force_destroy           = false
}

run "bucket" {
  assert {
    condition = (
      aws_s3_bucket_public_access_block.this.block_public_acls
      && aws_s3_bucket_public_access_block.this.block_public_policy
      && aws_s3_bucket_public_access_block.this.ignore_public_acls
      && aws_s3_bucket_public_access_block.this.restrict_public_buckets
    )
    error_message = "Public access must be blocked in all four ways."
  }

  assert {
    condition     = one(aws_s3_bucket_ownership_controls.this.rule).object_ownership == "BucketOwnerEnforced"
    error_message = "The bucket's owner must own every object."
  }

  assert {
    condition     = one(aws_s3_bucket_versioning.this.versioning_configuration).status == "Enabled"
    error_message = "The bucket must keep versions."
  }

  assert {
    condition = [
      for rule in aws_s3_bucket_server_side_encryption_configuration.this.rule :
      one(rule.apply_server_side_encryption_by_default).sse_algorithm
    ] == ["AES256"]
    error_message = "The bucket must encrypt."
  }

  assert {
    condition = jsondecode(aws_s3_bucket_policy.this.policy).Statement == [{
      Sid       = "TlsOnly"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:*"
      Resource  = ["arn:aws:s3:::sample-dev-records", "arn:aws:s3:::sample-dev-records/*"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
    error_message = "The bucket policy must refuse requests without TLS, and allow nothing."
  }

  assert {
    condition     = !aws_s3_bucket.this.force_destroy
    error_message = "By default, a bucket with records must not be destroyed."
  }

  assert {
    condition = {
      for rule in aws_s3_bucket_lifecycle_configuration.this.rule : rule.id => [
        rule.status,
        [for expiration in rule.noncurrent_version_expiration : expiration.noncurrent_days],
        [for upload in rule.abort_incomplete_multipart_upload : upload.days_after_initiation],
      ]
      } == {
      old-versions        = ["Enabled", [30], []]
      incomplete-uploads  = ["Enabled", [], [7]]
      archive-predictions = ["Enabled", [], []]
      archive-outcomes    = ["Enabled", [], []]
      query-results       = ["Enabled", [1], []]
    }
    error_message = "Old versions must expire after the given days, incomplete uploads after seven, results after one."
  }

  assert {
    condition = {
      for rule in aws_s3_bucket_lifecycle_configuration.this.rule : rule.id => [one(rule.filter).prefix, [for expiration in rule.expiration : expiration.days]]
      if length(rule.expiration) > 0 && rule.id != "old-versions"
    } == { query-results = ["athena/", [1]] }
    error_message = "Of the current objects, only the results of queries may expire."
  }

  assert {
    condition = [
      for rule in aws_s3_bucket_lifecycle_configuration.this.rule : [one(rule.filter).prefix, [for transition in rule.transition : [transition.days, transition.storage_class]]]
      if startswith(rule.id, "archive")
    ] == [["predictions/", [[90, "GLACIER_IR"]]], ["outcomes/", [[90, "GLACIER_IR"]]]]
    error_message = "Exported files must move to the archive after 90 days."
  }

  assert {
    condition = (
      output.bucket_name == "sample-dev-records" && output.bucket_arn == "arn:aws:s3:::sample-dev-records"
    )
    error_message = "The outputs must name the bucket."
  }
}

run "catalog" {
  assert {
    condition     = [aws_glue_catalog_database.this.name, aws_glue_catalog_table.predictions.name, output.query_database_name, output.query_workgroup_name] == ["sample_dev", "predictions", "sample_dev", "sample-dev"]
    error_message = "The names must need no quotes in a query."
  }

  assert {
    condition = { for name, value in aws_glue_catalog_table.predictions.parameters : name => value if startswith(name, "projection") || startswith(name, "storage") } == {
      "projection.enabled"            = "true"
      "projection.date.type"          = "date"
      "projection.date.format"        = "yyyy-MM-dd"
      "projection.date.range"         = "2026-01-01,NOW"
      "projection.date.interval"      = "1"
      "projection.date.interval.unit" = "DAYS"
      "projection.model_version.type" = "injected"
      "storage.location.template"     = "s3://sample-dev-records/predictions/model_version=$${model_version}/date=$${date}/"
    }
    error_message = "The partitions must follow from the layout of the files."
  }

  assert {
    condition = { for name, value in aws_glue_catalog_table.outcomes.parameters : name => value if startswith(name, "projection") || startswith(name, "storage") } == {
      "projection.enabled"            = "true"
      "projection.date.type"          = "date"
      "projection.date.format"        = "yyyy-MM-dd"
      "projection.date.range"         = "2026-01-01,NOW"
      "projection.date.interval"      = "1"
      "projection.date.interval.unit" = "DAYS"
      "storage.location.template"     = "s3://sample-dev-records/outcomes/date=$${date}/"
    }
    error_message = "The partitions of the outcomes must follow from the layout of the files."
  }

  assert {
    condition = (
      [for key in aws_glue_catalog_table.outcomes.partition_keys : key.name] == ["date"]
      && [for column in aws_glue_catalog_table.outcomes.storage_descriptor[0].columns : "${column.name} ${column.type}"] == [
        "outcome_id string", "request_id string", "value double", "observed_at timestamp", "reported_at timestamp",
        "recorded_at timestamp", "reporter string", "reporter_session string",
      ]
    )
    error_message = "The table of outcomes must have the columns of its files."
  }

  assert {
    condition     = [for key in aws_glue_catalog_table.predictions.partition_keys : key.name] == ["model_version", "date"]
    error_message = "The partitions must be those of the layout."
  }

  assert {
    condition = slice([for column in aws_glue_catalog_table.predictions.storage_descriptor[0].columns : "${column.name} ${column.type}"], 18, 22) == [
      "shadow_coverage double", "shadow_ms float", "size double", "kind smallint",
    ]
    error_message = "The features must follow the other columns."
  }

  assert {
    condition = (
      aws_athena_workgroup.this.configuration[0].enforce_workgroup_configuration
      && aws_athena_workgroup.this.configuration[0].bytes_scanned_cutoff_per_query == 10737418240
      && aws_athena_workgroup.this.configuration[0].result_configuration[0].output_location == "s3://sample-dev-records/athena/"
      && aws_athena_workgroup.this.configuration[0].result_configuration[0].encryption_configuration[0].encryption_option == "SSE_S3"
      && !aws_athena_workgroup.this.force_destroy
    )
    error_message = "Queries must have a limit, and a place for their results that nobody can change."
  }
}

run "can_be_thrown_away" {
  variables {
    force_destroy = true
  }

  assert {
    condition     = aws_s3_bucket.this.force_destroy && aws_athena_workgroup.this.force_destroy
    error_message = "With force_destroy, the bucket must be destroyed with its records."
  }
}

run "rejects_invalid_values" {
  command         = plan
  expect_failures = [var.name, var.bucket_name, var.noncurrent_version_days, var.features, var.first_date, var.query_limit_bytes]

  variables {
    name                    = "Sample"
    bucket_name             = "sample.records"
    features                = [{ name = "size", type = "text" }]
    first_date              = "2026"
    query_limit_bytes       = 1000000
    noncurrent_version_days = 0
  }
}

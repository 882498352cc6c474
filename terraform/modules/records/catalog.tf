# The tables of the exported predictions and outcomes for Athena. Their partitions follow from the dates, so nothing has to be registered
# after an export.

locals {
  results_prefix = "athena/"

  # As lambda_app/maintain exports them; the features follow.
  columns = [
    { name = "request_id", type = "string" },
    { name = "created_at", type = "timestamp" },
    { name = "recorded_at", type = "timestamp" },
    { name = "prediction", type = "double" },
    { name = "interval_lower", type = "double" },
    { name = "interval_upper", type = "double" },
    { name = "interval_coverage", type = "double" },
    { name = "latency_ms", type = "double" },
    { name = "caller", type = "string" },
    { name = "caller_session", type = "string" },
    { name = "batch_id", type = "string" },
    { name = "batch_index", type = "int" },
    { name = "subject", type = "string" },
    { name = "warnings", type = "string" },
    { name = "shadow_version", type = "string" },
    { name = "shadow_prediction", type = "double" },
    { name = "shadow_lower", type = "double" },
    { name = "shadow_upper", type = "double" },
    { name = "shadow_coverage", type = "double" },
    { name = "shadow_ms", type = "float" },
  ]

  outcome_columns = [
    { name = "outcome_id", type = "string" },
    { name = "request_id", type = "string" },
    { name = "value", type = "double" },
    { name = "observed_at", type = "timestamp" },
    { name = "reported_at", type = "timestamp" },
    { name = "recorded_at", type = "timestamp" },
    { name = "reporter", type = "string" },
    { name = "reporter_session", type = "string" },
  ]

  table_parameters = {
    EXTERNAL                        = "TRUE"
    classification                  = "parquet"
    "projection.enabled"            = "true"
    "projection.date.type"          = "date"
    "projection.date.format"        = "yyyy-MM-dd"
    "projection.date.range"         = "${var.first_date},NOW"
    "projection.date.interval"      = "1"
    "projection.date.interval.unit" = "DAYS"
  }
}

resource "aws_glue_catalog_database" "this" {
  # Athena takes hyphens only in quotes.
  name        = replace(var.name, "-", "_")
  description = "Exported records of ${var.name}"
}

resource "aws_glue_catalog_table" "predictions" {
  name          = "predictions"
  database_name = aws_glue_catalog_database.this.name
  description   = "One row for every answer of the service, by model version and day in UTC"
  table_type    = "EXTERNAL_TABLE"

  parameters = merge(local.table_parameters, {
    # The versions are not known here, so each query names those that it wants.
    "projection.model_version.type" = "injected"
    "storage.location.template"     = "s3://${aws_s3_bucket.this.bucket}/predictions/model_version=$${model_version}/date=$${date}/"
  })

  partition_keys {
    name = "model_version"
    type = "string"
  }

  partition_keys {
    name = "date"
    type = "string"
  }

  storage_descriptor {
    location      = "s3://${aws_s3_bucket.this.bucket}/predictions/"
    input_format  = "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat"
    output_format = "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat"

    ser_de_info {
      serialization_library = "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"
    }

    dynamic "columns" {
      for_each = concat(local.columns, var.features)

      content {
        name = columns.value.name
        type = columns.value.type
      }
    }
  }
}

resource "aws_glue_catalog_table" "outcomes" {
  name          = "outcomes"
  database_name = aws_glue_catalog_database.this.name
  description   = "What really happened, and corrections: of several rows of a request, the one reported last counts"
  table_type    = "EXTERNAL_TABLE"

  parameters = merge(local.table_parameters, {
    "storage.location.template" = "s3://${aws_s3_bucket.this.bucket}/outcomes/date=$${date}/"
  })

  partition_keys {
    name = "date"
    type = "string"
  }

  storage_descriptor {
    location      = "s3://${aws_s3_bucket.this.bucket}/outcomes/"
    input_format  = "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat"
    output_format = "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat"

    ser_de_info {
      serialization_library = "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"
    }

    dynamic "columns" {
      for_each = local.outcome_columns

      content {
        name = columns.value.name
        type = columns.value.type
      }
    }
  }
}

resource "aws_athena_workgroup" "this" {
  name          = var.name
  description   = "Queries of the exported records of ${var.name}"
  force_destroy = var.force_destroy

  configuration {
    # Nobody may send results elsewhere or read more.
    enforce_workgroup_configuration    = true
    publish_cloudwatch_metrics_enabled = true
    bytes_scanned_cutoff_per_query     = var.query_limit_bytes

    result_configuration {
      output_location = "s3://${aws_s3_bucket.this.bucket}/${local.results_prefix}"

      encryption_configuration {
        encryption_option = "SSE_S3"
      }
    }
  }
}

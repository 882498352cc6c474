"""The metrics of AWS services that alarms and dashboard may name, as AWS documents them."""

# The names of the metrics, by namespace and the dimensions that they all have.
DOCUMENTED: dict[tuple[str, frozenset[str]], set[str]] = {
    # docs.aws.amazon.com/apigateway/latest/developerguide/http-api-metrics.html
    ("AWS/ApiGateway", frozenset({"ApiId", "Stage"})): {
        "4xx", "5xx", "Count", "DataProcessed", "IntegrationLatency", "Latency",
    },
    # docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html: of all versions and aliases of a function
    ("AWS/Lambda", frozenset({"FunctionName"})): {
        "ConcurrentExecutions", "Duration", "Errors", "Invocations", "Throttles",
    },
    # docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
    ("AWS/SQS", frozenset({"QueueName"})): {
        "ApproximateAgeOfOldestMessage", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesVisible",
    },
    # docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-metrics.html; DBLoad is of Performance Insights
    ("AWS/RDS", frozenset({"DBInstanceIdentifier"})): {
        "CPUUtilization", "DatabaseConnections", "DBLoad", "FreeStorageSpace",
    },
    # docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-proxy.monitoring.html: dimension set 1
    ("AWS/RDS", frozenset({"ProxyName"})): {
        "ClientConnections", "DatabaseConnections", "DatabaseConnectionsCurrentlySessionPinned",
    },
}  # fmt: skip

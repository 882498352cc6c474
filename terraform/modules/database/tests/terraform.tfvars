name                         = "sample-dev"
project                      = { name = "sample-service", prefix = "sample" }
subnet_ids                   = ["subnet-1", "subnet-2"]
database_security_group_id   = "sg-database"
proxy_security_group_id      = "sg-proxy"
instance_class               = "db.t4g.micro"
allocated_storage_gb         = 20
max_allocated_storage_gb     = 100
multi_az                     = true
backup_retention_days        = 14
deletion_protection          = true
skip_final_snapshot          = false
performance_insights_enabled = true
log_retention_days           = 30
secret_version               = 1

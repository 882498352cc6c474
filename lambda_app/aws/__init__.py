"""AWS over plain HTTP: what boto3 does here, without the half of a cold start that its import and its clients take."""

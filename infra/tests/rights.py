"""
What each function may call: the table between the templates and the recorded calls.

The tests beside this hold the templates' policies to it; tests/system/test_rights.py holds it to
the calls that the handlers make. It imports nothing, because the two have no environment in common.
"""

LOGS = {"logs:CreateLogStream", "logs:PutLogEvents"}
TRACES = {"xray:PutTelemetryRecords", "xray:PutTraceSegments"}
INTERFACES = {
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
}
INBOX = {
    "dynamodb:BatchGetItem",
    "dynamodb:ConditionCheckItem",
    "dynamodb:DeleteItem",
    "dynamodb:GetItem",
    "dynamodb:PutItem",
    "dynamodb:Query",
    "dynamodb:UpdateItem",
    "s3:DeleteObjectVersion",
    "s3:GetObject",
    "s3:ListBucket",
    "s3:ListBucketVersions",
    "s3:PutObject",
    "kms:Decrypt",
    "kms:DescribeKey",
    "kms:Encrypt",
    "kms:GenerateDataKey",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
}
POLLER = {
    "kinesis:DescribeStream",
    "kinesis:DescribeStreamSummary",
    "kinesis:GetRecords",
    "kinesis:GetShardIterator",
    "kinesis:ListShards",
    "s3:ListBucket",
    "s3:PutObject",
}
SECRET = {"secretsmanager:GetSecretValue"}
QUEUE = {
    "sqs:ChangeMessageVisibility",
    "sqs:DeleteMessage",
    "sqs:GetQueueAttributes",
    "sqs:GetQueueUrl",
    "sqs:ReceiveMessage",
}
ARCHIVE = {"s3:GetObject", "s3:GetObjectVersion", "s3:ListBucket"}
REPLAYED = {
    f"qldb:PartiQL{each}"
    for each in (
        "CreateIndex",
        "CreateTable",
        "Delete",
        "DropIndex",
        "DropTable",
        "HistoryFunction",
        "Insert",
        "Select",
        "UndropTable",
        "Update",
    )
}
EVERY = LOGS | TRACES

# Stack and handler, and all that the function's role may call.
RIGHTS = {
    ("qldb-stream-stream", "replay.handler"): EVERY | INTERFACES | INBOX | POLLER | SECRET,
    ("qldb-stream-stream", "replay.drain"): EVERY | INTERFACES | INBOX | SECRET,
    ("qldb-stream-stream", "tables.handler"): EVERY | INTERFACES | SECRET | {"kms:Decrypt"},
    ("qldb-stream-restore", "archive.handler"): (
        EVERY | INTERFACES | INBOX | SECRET | ARCHIVE | QUEUE
    ),
    ("other-stream", "replay.handler"): EVERY | INBOX | POLLER | REPLAYED | {"qldb:SendCommand"},
    ("other-stream", "tables.handler"): (
        EVERY | {"qldb:SendCommand", "qldb:PartiQLCreateTable", "qldb:PartiQLSelect"}
    ),
    ("plain-stream", "replay.handler"): EVERY | INBOX | POLLER | SECRET,
    ("plain-stream", "replay.drain"): EVERY | INBOX | SECRET,
}

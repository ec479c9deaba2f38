"""What stacks are made of. Not `constructs`: that is the name of the CDK's own package."""

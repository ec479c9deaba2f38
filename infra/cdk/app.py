"""
The deployment on AWS, made by `cdk deploy` in this folder; docs/aws.md says how.

It imports aws_cdk and never qldb_stream: what the two share are the names of handlers and
environment variables, and a test of the project compares those.
"""

from aws_cdk import App, Validations
from cdk_nag import AwsSolutionsChecks

from settings import Settings
from stacks import make_stacks


def make_app(app: App) -> App:
    """Put the stacks that the context asks for into `app`, and have AWS's rules checked."""
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    make_stacks(app, Settings.from_context(app.node.get_all_context()))
    return app


if __name__ == "__main__":
    make_app(App()).synth()

"""Alarms, each with a section in docs/aws-operations.md, and the dashboard."""

from __future__ import annotations

from attrs import frozen
from aws_cdk import (
    ArnFormat,
    Duration,
    Stack,
    aws_cloudwatch as cloudwatch,
    aws_cloudwatch_actions as actions,
    aws_iam as iam,
    aws_kms as kms,
    aws_lambda as lambda_,
    aws_sns as sns,
    aws_sns_subscriptions as subscriptions,
)
from constructs import Construct

from settings import Settings

# The namespace that the handlers write their metrics to (embedded metric format).
NAMESPACE = "qldb-stream"
OPERATIONS = "docs/aws-operations.md"


@frozen(kw_only=True)
class Watched:
    """One alarm: its name is its heading in the operations page."""

    name: str
    metric: cloudwatch.IMetric
    above: float
    periods: int = 1
    says: str


def of_function(
    function: lambda_.IFunction, name: str, *, statistic: str = "Maximum", minutes: int = 5
) -> cloudwatch.Metric:
    """Give a metric that the handler itself writes."""
    return cloudwatch.Metric(
        namespace=NAMESPACE,
        metric_name=name,
        dimensions_map={"FunctionName": function.function_name},
        statistic=statistic,
        period=Duration.minutes(minutes),
    )


class Watch(Construct):
    """The topic that alarms speak to, the alarms, and the dashboard."""

    def __init__(self, scope: Construct, settings: Settings, *, key: kms.Key) -> None:
        """Make the topic; `key` must let CloudWatch encrypt for it."""
        super().__init__(scope, "Watch")
        self.topic = sns.Topic(self, "Alarms", master_key=key, enforce_ssl=True)
        stack = Stack.of(self)
        alarms = stack.format_arn(
            service="cloudwatch",
            resource="alarm",
            resource_name="*",
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )
        key.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
                actions=["kms:Decrypt", "kms:GenerateDataKey"],
                resources=["*"],  # of a key's own policy: this key
                conditions={"ArnLike": {"aws:SourceArn": alarms}},
            )
        )
        if settings.alarm_email:
            self.topic.add_subscription(subscriptions.EmailSubscription(settings.alarm_email))
        self.alarms: list[cloudwatch.Alarm] = []

    def alarm(self, watched: Watched) -> cloudwatch.Alarm:
        """Make an alarm; what writes no numbers is no alarm."""
        alarm = cloudwatch.Alarm(
            self,
            watched.name,
            alarm_name=f"{Stack.of(self).stack_name}-{watched.name}",
            alarm_description=f"{watched.says} {OPERATIONS}, {watched.name}.",
            metric=watched.metric,
            threshold=watched.above,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
            evaluation_periods=watched.periods,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
        alarm.add_alarm_action(actions.SnsAction(self.topic))
        alarm.add_ok_action(actions.SnsAction(self.topic))
        self.alarms.append(alarm)
        return alarm

    def dashboard(self, charts: dict[str, list[cloudwatch.IMetric]]) -> cloudwatch.Dashboard:
        """Make the dashboard: all alarms on top, then a chart for each list of metrics."""
        board = cloudwatch.Dashboard(self, "Dashboard", default_interval=Duration.hours(12))
        board.add_widgets(
            cloudwatch.AlarmStatusWidget(title="Alarms", alarms=list(self.alarms), width=24)
        )
        board.add_widgets(
            *(
                cloudwatch.GraphWidget(title=title, left=metrics, width=12)
                for title, metrics in charts.items()
            )
        )
        return board


def errors(name: str, says: str, *functions: lambda_.IFunction) -> Watched:
    """Watch the errors of functions together."""
    metrics = {f"e{n}": each.metric_errors() for n, each in enumerate(functions)}
    both = cloudwatch.MathExpression(
        expression=" + ".join(metrics), using_metrics=metrics, label="Errors"
    )
    return Watched(name=name, metric=both, above=0, periods=3, says=says)

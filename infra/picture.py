"""
Draw the deployment from its templates: the picture in docs/aws.md is never drawn by hand.

What is a box, and what an arrow means, is a table. An arrow is drawn where data flows: from
a stream to what reads it, from a function to what it writes. Everything else that templates
hold (keys, roles, policies, logs) would only hide that.

Usage: python infra/picture.py FOLDER    (of `cdk synth`; writes docs/aws.md)
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

DOCUMENT: Final = Path(__file__).resolve().parent.parent / "docs" / "aws.md"
BEGIN: Final = "<!-- picture: made by infra/picture.py -->\n"
END: Final = "<!-- end of picture -->\n"

# What is drawn, and as what: Mermaid's shapes are pairs of brackets.
_BOXES: Final[dict[str, tuple[str, str, str]]] = {
    "AWS::QLDB::Ledger": ("QLDB ledger", "[(", ")]"),
    "AWS::Kinesis::Stream": ("Kinesis stream", "([", "])"),
    "AWS::KinesisFirehose::DeliveryStream": ("Firehose", "[[", "]]"),
    "AWS::S3::Bucket": ("S3", "[(", ")]"),
    "AWS::DynamoDB::Table": ("DynamoDB", "[(", ")]"),
    "AWS::Lambda::Function": ("Lambda", "[[", "]]"),
    "AWS::Events::Rule": ("EventBridge", "{{", "}}"),
    "AWS::SQS::Queue": ("SQS", "([", "])"),
    "AWS::StepFunctions::StateMachine": ("Step Functions", "{{", "}}"),
    "AWS::RDS::DBCluster": ("Aurora PostgreSQL", "[(", ")]"),
    "AWS::ElasticLoadBalancingV2::LoadBalancer": ("load balancer", "[[", "]]"),
    "AWS::AutoScaling::AutoScalingGroup": ("EC2 instance", "[[", "]]"),
    "AWS::EC2::Volume": ("EBS", "[(", ")]"),
}
_LEFT_OUT: Final = ("AccessLogs", "TablesProvider")

Template = dict[str, Any]
Arrow = tuple[str, str]


def references(value: Any) -> Iterator[str]:
    """Give the names of resources that a value refers to."""
    if isinstance(value, dict):
        if isinstance(value.get("Ref"), str):
            yield value["Ref"]
        if isinstance(value.get("Fn::GetAtt"), list):
            yield value["Fn::GetAtt"][0]
        for each in value.values():
            yield from references(each)
    if isinstance(value, list):
        for each in value:
            yield from references(each)


def boxes(template: Template) -> dict[str, str]:
    """Give the resources that are drawn, by name, with their types."""
    return {
        name: each["Type"]
        for name, each in template["Resources"].items()
        if each["Type"] in _BOXES and not name.startswith(_LEFT_OUT)
    }


def arrows(template: Template) -> Iterator[Arrow]:
    """Give the arrows of a template, from where data is to where it goes."""
    resources = template["Resources"]
    for name, each in resources.items():
        properties = each.get("Properties", {})
        kind = each["Type"]
        if kind == "AWS::Lambda::EventSourceMapping":
            yield from _joined(properties["EventSourceArn"], properties["FunctionName"])
            yield from _joined(properties["EventSourceArn"], properties.get("DestinationConfig"))
        elif kind == "AWS::KinesisFirehose::DeliveryStream":
            yield from ((of, name) for of in _of(properties, "KinesisStreamSourceConfiguration"))
            target = properties["ExtendedS3DestinationConfiguration"]["BucketARN"]
            yield from ((name, to) for to in references(target))
        elif kind in {"AWS::Events::Rule", "AWS::StepFunctions::StateMachine"}:
            yield from ((of, name) for of in _of(properties, "EventPattern"))
            told = properties.get("Targets", properties.get("DefinitionSubstitutions"))
            yield from ((name, to) for to in references(told))
        elif kind == "AWS::Lambda::Function":
            yield from ((name, to) for to in _of(properties, "Environment"))
        elif kind == "AWS::AutoScaling::AutoScalingGroup":
            yield from _server(name, resources)


def _of(properties: dict[str, Any], key: str) -> list[str]:
    """Give what one property refers to."""
    return list(references(properties.get(key)))


def _joined(source: Any, target: Any) -> Iterator[Arrow]:
    """Join all that two values refer to."""
    for one in references(source):
        yield from ((one, other) for other in references(target))


def _server(group: str, resources: dict[str, Any]) -> Iterator[Arrow]:
    """Join the balancer, the instance behind it and its volume."""
    for name, each in resources.items():
        if each["Type"] == "AWS::ElasticLoadBalancingV2::LoadBalancer":
            yield name, group
        if each["Type"] == "AWS::EC2::Volume":
            yield group, name


def label(name: str, template: Template) -> str:
    """Say what a resource is: the handler of a function, the schedule of a rule, else its place."""
    properties = template["Resources"][name].get("Properties", {})
    if "Handler" in properties:
        return str(properties["Handler"].removeprefix("qldb_stream.aws."))
    if "ScheduleExpression" in properties:
        return "each minute"
    path = template["Resources"][name]["Metadata"]["aws:cdk:path"].split("/")[1:]
    words = [word for word in path if word not in {"Resource", "ASG"}]
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", " ".join(dict.fromkeys(words))).lower()


def draw(templates: dict[str, Template]) -> str:
    """Draw all stacks as one Mermaid flowchart."""
    lines = ["flowchart LR"]
    across: list[str] = []
    for stack, template in sorted(templates.items()):
        shown = boxes(template)
        ids = {name: f"{stack.rpartition('-')[2]}_{name}" for name in shown}
        lines.append(f'  subgraph {stack.rpartition("-")[2]}["{stack}"]')
        for name, kind in shown.items():
            what, opening, closing = _BOXES[kind]
            text = f"{what}: {label(name, template)}"
            lines.append(f'    {ids[name]}{opening}"{text}"{closing}')
        lines.append("  end")
        found = dict.fromkeys(arrows(template))
        across += [f"  {ids[a]} --> {ids[b]}" for a, b in found if a in ids and b in ids]
    lines += across + [f"  {each}" for each in _between(templates)]
    return "```mermaid\n" + "\n".join(lines) + "\n```\n"


def _between(templates: dict[str, Template]) -> Iterator[str]:
    """Join stacks: a ledger's stream to Kinesis, and functions to the ledger server."""
    by_end = {name.rpartition("-")[2]: each for name, each in templates.items()}
    stream = by_end.get("stream", {"Resources": {}})["Resources"]
    for each in stream.values():
        if each["Type"] == "AWS::QLDB::Stream":
            (to,) = references(each["Properties"]["KinesisConfiguration"])
            yield f"ledger_Source --> stream_{to}"
    server = by_end.get("server", {"Resources": {}})["Resources"]
    balancers = [n for n, e in server.items() if e["Type"].endswith("V2::LoadBalancer")]
    groups = [n for n, e in server.items() if e["Type"].endswith("AutoScalingGroup")]
    for name, each in stream.items():
        variables = each.get("Properties", {}).get("Environment", {}).get("Variables", {})
        if "endpoint=https" in str(variables.get("QLDB_STREAM_SINK")):
            yield from (f"stream_{name} --> server_{to}" for to in balancers)
        if each["Type"] == "AWS::Kinesis::Stream":
            yield from (f"server_{of} --> stream_{name}" for of in groups)


def read(folder: Path) -> dict[str, Template]:
    """Read the templates that `cdk synth` wrote."""
    return {
        file.name.removesuffix(".template.json"): json.loads(file.read_text(encoding="utf-8"))
        for file in sorted(folder.glob("*.template.json"))
    }


def with_picture(text: str, picture: str) -> str:
    """Put a picture in the place of the one that a document has."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}{picture}{END}{after}"


def main(folder: Path) -> None:
    """Draw the templates of a folder into the documentation."""
    text = DOCUMENT.read_text(encoding="utf-8")
    DOCUMENT.write_text(with_picture(text, draw(read(folder))), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))

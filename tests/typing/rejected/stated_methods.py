"""Mistakes with services that are stated in Python."""

from __future__ import annotations

from dataclasses import dataclass

import clarion
from clarion.codecs import JSONCodec, Service


@dataclass
class Question:
    text: str


@dataclass
class Answer:
    text: str


service = Service("typing.Questions", JSONCodec())
ask = service.unary_unary("Ask", Question, Answer)


def call(channel: clarion.Channel) -> None:
    ask.on(channel)(Answer("a"))  # E: mypy[arg-type] pyright[reportArgumentType]
    ask.on(channel)(Question("a")).number  # E: mypy[attr-defined] pyright[reportAttributeAccessIssue]
    ask.on("channel")  # E: mypy[call-overload] pyright[reportArgumentType,reportCallIssue]


def wrong(request: Question, context: clarion.ServicerContext) -> Question:
    return request


ask.served_by(wrong)  # E: mypy[arg-type] pyright[reportArgumentType]

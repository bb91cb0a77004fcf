"""google-api-core and google-cloud-pubsub against a servicer: publish, pages, errors, retries, streaming pull, asyncio."""

from __future__ import annotations

import asyncio
import os
import queue

import grpc
from common import LIMIT, handlers, serving
from google.api_core import exceptions, grpc_helpers, grpc_helpers_async
from google.api_core.retry import Retry
from google.cloud import pubsub_v1
from google.protobuf import empty_pb2
from google.pubsub_v1 import types
from google.pubsub_v1.services.publisher import PublisherAsyncClient
from google.pubsub_v1.services.publisher.transports import PublisherGrpcAsyncIOTransport

TOPIC = "projects/p/topics/t"
SUBSCRIPTION = "projects/p/subscriptions/s"


class Cloud:
    def __init__(self):
        self.published = []
        self.messages = queue.SimpleQueue()
        self.acked = queue.SimpleQueue()
        self.hiccups = 1

    def publish(self, request, context):
        ids = []
        for message in request.messages:
            message.message_id = str(len(self.published))
            ids.append(message.message_id)
            self.published.append(bytes(message.data))
            self.messages.put(message)
        return types.PublishResponse(message_ids=ids)

    def get_topic(self, request, context):
        if request.topic != TOPIC:
            context.abort(grpc.StatusCode.NOT_FOUND, f"no topic {request.topic}")
        if self.hiccups:
            self.hiccups -= 1
            context.abort(grpc.StatusCode.UNAVAILABLE, "not yet")
        metadata = dict(context.invocation_metadata())
        assert metadata["x-goog-request-params"].startswith("topic=")
        assert "grpc/" in metadata["x-goog-api-client"]
        return types.Topic(name=request.topic)

    def list_topics(self, request, context):
        page = int(request.page_token or 0)
        return types.ListTopicsResponse(
            topics=[types.Topic(name=f"{TOPIC}{page}")], next_page_token="1" if page == 0 else ""
        )

    def streaming_pull(self, requests, context):
        assert next(requests).subscription == SUBSCRIPTION
        message = self.messages.get(timeout=LIMIT)
        yield types.StreamingPullResponse(
            received_messages=[types.ReceivedMessage(ack_id="ack-1", message=message)]
        )
        for _ in requests:
            pass

    def acknowledge(self, request, context):
        self.acked.put(list(request.ack_ids))
        return empty_pb2.Empty()

    def modify_ack_deadline(self, request, context):
        return empty_pb2.Empty()


def unary(behavior, request):
    def serialize(response):
        kind = type(response)
        return (
            kind.serialize(response) if hasattr(kind, "serialize") else response.SerializeToString()
        )

    return "unary_unary", behavior, request.deserialize, serialize


cloud = Cloud()
publisher_service = handlers(
    "google.pubsub.v1.Publisher",
    Publish=unary(cloud.publish, types.PublishRequest),
    GetTopic=unary(cloud.get_topic, types.GetTopicRequest),
    ListTopics=unary(cloud.list_topics, types.ListTopicsRequest),
)
subscriber_service = handlers(
    "google.pubsub.v1.Subscriber",
    StreamingPull=(
        "stream_stream",
        cloud.streaming_pull,
        types.StreamingPullRequest.deserialize,
        types.StreamingPullResponse.serialize,
    ),
    Acknowledge=unary(cloud.acknowledge, types.AcknowledgeRequest),
    ModifyAckDeadline=unary(cloud.modify_ack_deadline, types.ModifyAckDeadlineRequest),
)


def add(server):
    publisher_service(server)
    subscriber_service(server)


def sync(target):
    os.environ["PUBSUB_EMULATOR_HOST"] = target
    with pubsub_v1.PublisherClient() as publisher:
        first, second = (publisher.publish(TOPIC, data) for data in (b"one", b"two"))
        assert (first.result(LIMIT), second.result(LIMIT)) == ("0", "1")
        topic = publisher.get_topic(topic=TOPIC, retry=Retry(initial=0.01, timeout=LIMIT))
        assert topic.name == TOPIC
        names = [topic.name for topic in publisher.list_topics(project="projects/p")]
        assert names == [f"{TOPIC}0", f"{TOPIC}1"]
        try:
            publisher.get_topic(topic="projects/p/topics/none", retry=None)
        except exceptions.NotFound as error:
            assert error.grpc_status_code is grpc.StatusCode.NOT_FOUND
            assert isinstance(error.errors[0], grpc.RpcError)
        else:
            raise AssertionError("no error")
    got = queue.SimpleQueue()

    def receive(message):
        message.ack()
        got.put(message.data)

    with pubsub_v1.SubscriberClient() as subscriber:
        pulling = subscriber.subscribe(SUBSCRIPTION, receive)
        assert got.get(timeout=LIMIT) == b"one"
        assert cloud.acked.get(timeout=LIMIT) == ["ack-1"]
        pulling.cancel()
        pulling.result(LIMIT)


async def with_asyncio(target):
    channel = grpc.aio.insecure_channel(target)
    publisher = PublisherAsyncClient(transport=PublisherGrpcAsyncIOTransport(channel=channel))
    async with channel:
        answer = await publisher.publish(
            request={"topic": TOPIC, "messages": [{"data": b"three"}]}, timeout=LIMIT
        )
        assert list(answer.message_ids) == ["2"]
        names = [t.name async for t in await publisher.list_topics(project="projects/p")]
        assert names == [f"{TOPIC}0", f"{TOPIC}1"]
        try:
            await publisher.get_topic(topic="projects/p/topics/none", retry=None)
        except exceptions.NotFound as error:
            assert error.grpc_status_code is grpc.StatusCode.NOT_FOUND
        else:
            raise AssertionError("no error")


def helpers(target):
    """What client libraries of Google build their stubs with."""
    with grpc.insecure_channel(target) as channel:
        list_topics = grpc_helpers.wrap_errors(
            channel.unary_unary(
                "/google.pubsub.v1.Publisher/ListTopics",
                types.ListTopicsRequest.serialize,
                types.ListTopicsResponse.deserialize,
            )
        )
        assert list_topics(types.ListTopicsRequest(), timeout=LIMIT).next_page_token == "1"
        no_method = grpc_helpers.wrap_errors(channel.unary_stream("/google.pubsub.v1.Publisher/No"))
        try:
            list(no_method(b"", timeout=LIMIT))
        except exceptions.MethodNotImplemented:
            pass
        else:
            raise AssertionError("no error")


async def helpers_async(target):
    async with grpc.aio.insecure_channel(target) as channel:
        no_method = grpc_helpers_async.wrap_errors(
            channel.unary_stream("/google.pubsub.v1.Publisher/No")
        )
        try:
            async for _ in await no_method(b"", timeout=LIMIT):
                pass
        except exceptions.MethodNotImplemented:
            pass
        else:
            raise AssertionError("no error")


with serving(add) as target:
    helpers(target)
    sync(target)
    asyncio.run(helpers_async(target))
    asyncio.run(with_asyncio(target))
assert cloud.published == [b"one", b"two", b"three"]

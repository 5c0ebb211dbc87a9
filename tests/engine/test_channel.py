"""Messages over a socket pair: whole, in order, and never blocking."""

import socket
from collections.abc import Iterator

import pytest

from mflow.engine.channel import Channel

Pair = tuple[Channel, Channel]


@pytest.fixture
def pair() -> Iterator[Pair]:
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    channels = Channel(one), Channel(other)
    yield channels
    for channel in channels:
        channel.close()


def test_messages_come_whole_and_in_order(pair: Pair) -> None:
    one, other = pair
    for message in (1, ("two", 2.0), {"three": [3]}):
        one.send(message)
    assert other.receive() == [1, ("two", 2.0), {"three": [3]}]
    assert other.receive() == []


def test_both_directions(pair: Pair) -> None:
    one, other = pair
    one.send("there")
    other.send("back")
    assert (one.receive(), other.receive()) == (["back"], ["there"])


def test_a_peer_that_does_not_read_blocks_nobody(pair: Pair) -> None:
    one, other = pair
    large = b"x" * 100_000
    for number in range(50):
        one.send((number, large))
    received: list[object] = []
    assert not one.flush()
    while not one.flush():
        received += other.receive()
    received += other.receive()
    assert not one.wants_write
    assert received == [(number, large) for number in range(50)]


def test_a_message_that_has_come_in_part_waits_for_its_rest() -> None:
    raw, end = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    probe, sent = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    Channel(probe).send("message")
    frame = sent.recv(1000)
    channel = Channel(end)
    for at in range(len(frame)):
        assert channel.receive() == []
        raw.send(frame[at : at + 1])
    assert channel.receive() == ["message"]
    for each in (raw, end, probe, sent):
        each.close()


def test_the_end_comes_after_the_last_message(pair: Pair) -> None:
    one, other = pair
    one.send("last")
    one.close()
    assert other.receive() == ["last"]
    with pytest.raises(EOFError):
        other.receive()


def test_sending_to_nobody_is_no_error(pair: Pair) -> None:
    one, other = pair
    other.close()
    one.send("hello")
    assert not one.wants_write
    with pytest.raises(EOFError):
        one.receive()

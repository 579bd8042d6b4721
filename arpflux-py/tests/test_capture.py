"""Captures: frames one by one, and what a whole capture shows."""

import datetime
import gzip
import itertools
import os
import pathlib
import pickle
import struct
import threading

import pytest

import arpflux

CLIENT, ETH0, ETH3 = bytes.fromhex("000c29d2c7aa"), bytes.fromhex("000c29b3a254"), bytes.fromhex("000c29b3a268")
NODE, ASKER = bytes([192, 168, 18, 10]), bytes([192, 168, 18, 129])
START = 1_700_000_000


def arp(source, target_mac, operation, sender, target):
    destination = b"\xff" * 6 if operation == 1 else target_mac
    body = struct.pack("!HHBBH", 1, 0x800, 6, 4, operation) + source + sender + target_mac + target
    return (destination + source + b"\x08\x06" + body).ljust(60, b"\0")


def pcap(frames) -> bytes:
    records = [
        struct.pack("<IIII", START + number, 250_000, len(frame), len(frame)) + frame
        for number, frame in enumerate(frames)
    ]
    return struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1) + b"".join(records)


FLUX = [
    arp(CLIENT, bytes(6), 1, ASKER, NODE),
    arp(ETH0, CLIENT, 2, NODE, ASKER),
    arp(ETH3, CLIENT, 2, NODE, ASKER),
]


@pytest.fixture(params=["plain", "gzip"])
def trace(request, tmp_path):
    path = tmp_path / "trace.pcap"
    data = pcap(FLUX * 10)
    path.write_bytes(gzip.compress(data) if request.param == "gzip" else data)
    return path


def test_frames_come_one_by_one_as_typed_values(trace):
    with arpflux.capture(trace) as capture:
        assert iter(capture) is capture
        first, second = next(capture), next(capture)
        assert (first.protocol, first.operation, first.sender_mac) == (arpflux.Protocol.ARP, 1, "00:0c:29:d2:c7:aa")
        assert (str(first.sender), str(first.target)) == ("192.168.18.129", "192.168.18.10")
        assert first.destination == "ff:ff:ff:ff:ff:ff" and first.vlans == () and first.ttl is None
        assert first.time_ns == START * 10**9 + 250_000_000
        assert second.operation == 2 and second.source == "00:0c:29:b3:a2:54"
        assert len(list(capture)) == 28
        assert capture.counts == arpflux.CaptureCounts(records=30, sightings=30, cut=0, malformed=0, unread=0, ends_early=False)
        assert capture.format is arpflux.CaptureFormat.PCAP and capture.compressed == (trace.read_bytes()[0] == 0x1F)
        for value in (first, second):
            again = pickle.loads(pickle.dumps(value))
            assert again == value and hash(again) == hash(value) and arpflux.Sighting.from_dict(value.to_dict()) == value
        assert first != second and "who-has 192.168.18.10" in repr(first)
    assert capture.format is None and list(capture) == []


def test_the_report_names_flux_and_rests_on_all_frames(trace):
    with arpflux.capture(str(trace)) as capture:
        next(capture)
        report = capture.report([["00:0c:29:b3:a2:54", "00:0c:29:b3:a2:68"]])
        assert report.is_bad and (report.requests, report.replies) == (10, 20)
        (address,) = [one for one in report.addresses if one.is_bad]
        assert (str(address.address), address.verdict) == ("192.168.18.10", arpflux.AddressClass.FLUX)
        assert address.certainty is arpflux.Certainty.PROVED and address.because
        assert [(mac.mac[-5:], mac.replies) for mac in address.macs] == [("a2:54", 10), ("a2:68", 10)]
        assert report.start == datetime.datetime.fromtimestamp(START + 0.25, datetime.timezone.utc)
        assert report.length == datetime.timedelta(seconds=29)
        assert address.macs[0].first == datetime.timedelta(seconds=1)
        assert pickle.loads(pickle.dumps(report)) == report == arpflux.CaptureReport.from_dict(report.to_dict())
        assert next(capture, None) is None, "the report has read the rest"


def test_beside_the_state_of_a_host_each_answer_is_explained(trace):
    snapshot = arpflux.Host.current().snapshot()
    with arpflux.capture(trace, snapshot=snapshot) as capture:
        next(capture)
        report = capture.report()
    # Its MACs are none of that capture's: nothing in it is this host's.
    assert report.explained == () and report.replies == 20
    with pytest.raises(TypeError):
        arpflux.capture(trace, snapshot="snapshot.json")


def test_it_is_lazy_and_a_pipe_will_do(tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    going = threading.Event()

    def write() -> None:
        with open(fifo, "wb") as pipe:
            pipe.write(pcap(FLUX * 400))
            pipe.flush()
            going.wait(30)

    writer = threading.Thread(target=write)
    writer.start()
    with arpflux.capture(fifo) as capture:
        # More are there than were asked for, and the writer has not finished.
        assert len(list(itertools.islice(capture, 700))) == 700
        assert capture.counts.records < 1200
        going.set()
        assert len(list(capture)) == 500
    writer.join()


def test_a_damaged_capture_gives_what_came_before(tmp_path):
    path = tmp_path / "cut.pcap"
    path.write_bytes(pcap(FLUX)[:-20])
    with arpflux.capture(path) as capture:
        assert len(list(capture)) == 2 and capture.counts.ends_early
    path.write_bytes(pcap(FLUX) + b"\xff" * 64)
    with arpflux.capture(path) as capture:
        frames = []
        with pytest.raises(arpflux.InvalidData, match="cut.pcap") as caught:
            for frame in capture:
                frames.append(frame)
        assert len(frames) == 3 and "byte" in caught.value.object
        assert list(capture) == [], "nothing comes after"


def test_what_is_no_capture_is_refused(tmp_path):
    path = tmp_path / "x"
    for data in (b"\x7fELF", b"\xd4\xc3\xb2\xa1"):
        path.write_bytes(data)
        with pytest.raises(arpflux.InvalidData, match=str(path)):
            arpflux.capture(path)
    with pytest.raises(arpflux.NotFound):
        arpflux.capture(tmp_path / "none")
    with pytest.raises(arpflux.Io):
        arpflux.capture(tmp_path)
    for wrong in (7, None, "a\0b", "\ud800"):
        with pytest.raises((TypeError, arpflux.InvalidInput), match="'source'"):
            arpflux.capture(wrong)
    path.write_bytes(pcap(FLUX))
    with pytest.raises(arpflux.InvalidInput, match="hosts"):
        arpflux.capture(path).report([["zz"]])


def test_a_picture_of_who_claimed_what_when():
    path = pathlib.Path(__file__).parents[2] / "arpflux-cli" / "tests" / "captures" / "example-one.txt"
    with arpflux.capture(path) as capture:
        picture = capture.svg()
        assert capture.report().addresses
    assert picture.startswith("<svg") and "192.168.18.1" in picture

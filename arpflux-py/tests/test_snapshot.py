"""Stored snapshots: typed, frozen values that compare, hash, print, pickle and convert."""

import ipaddress
import json
import pickle

import pytest

import arpflux


def test_version_is_that_of_the_package():
    import importlib.metadata

    assert arpflux.__version__ == importlib.metadata.version("arpflux")


def test_json_round_trip_is_exact(stored):
    again = arpflux.Snapshot.from_json(stored.to_json())
    assert again == stored
    assert hash(again) == hash(stored)
    assert again.to_json() == stored.to_json()
    assert json.loads(stored.to_json())["schema"] == 1


def test_records_are_typed(stored):
    eth3 = stored.interface("eth3")
    assert (eth3,) == stored.interfaces
    assert (eth3.index, eth3.name, eth3.mac, eth3.mtu) == (3, "eth3", "00:0c:29:b3:a2:68", 1500)
    assert eth3.mac_bytes == bytes.fromhex("000c29b3a268")
    assert eth3.carrier is True and eth3.speaks_arp is True and eth3.kind is None and eth3.master is None
    assert eth3.sysctls == {"arp_ignore": 0, "arp_announce": 2}
    assert eth3.neigh.proxy_delay == 800
    (address,) = stored.addresses
    assert address.local == ipaddress.IPv4Address("192.168.18.11") and address.prefix_len == 24
    (proxy,) = stored.proxies
    assert proxy.address == ipaddress.ip_address("192.168.18.101")
    assert (proxy.interface, proxy.protocol) == (3, 175)


def test_effective_says_where_the_value_comes_from(stored):
    ignore = stored.effective("eth3", "arp_ignore")
    assert (ignore.value, ignore.source) == (1, "all")
    announce = stored.effective("eth3", "arp_announce")
    assert (announce.value, announce.source) == (2, "interface")
    assert stored.effective("eth3", "arp_ignore") == ignore


@pytest.mark.parametrize("of", [lambda s: s, lambda s: s.interfaces[0], lambda s: s.addresses[0], lambda s: s.proxies[0]])
def test_values_are_frozen_hashable_and_pickle(stored, of):
    value = of(stored)
    again = pickle.loads(pickle.dumps(value))
    assert again == value and hash(again) == hash(value) and again is not value
    assert value != object()
    assert type(value).__name__ in repr(value)
    assert isinstance(value.to_dict(), dict)
    with pytest.raises(AttributeError):
        value.mtu = 1


def test_bad_data_is_invalid_data():
    for text in ["", "{", "[]", '{"schema": 99}', "{}"]:
        with pytest.raises(arpflux.InvalidData) as caught:
            arpflux.Snapshot.from_json(text)
        assert isinstance(caught.value, ValueError) and isinstance(caught.value, arpflux.Error)
        assert caught.value.code == 3 and caught.value.kind == "invalid_data"


def test_unknown_interface_names_it(stored):
    with pytest.raises(arpflux.NotFound) as caught:
        stored.interface("eth9")
    assert "eth9" in str(caught.value) and isinstance(caught.value, LookupError)
    with pytest.raises(arpflux.InvalidInput, match="arp_ignroe"):
        stored.effective("eth3", "arp_ignroe")
    with pytest.raises(TypeError, match="text"):
        arpflux.Snapshot.from_json(7)
    # Names that are not UTF-8 are told as `os.fsdecode` gives them.
    with pytest.raises(arpflux.NotFound, match="eth"):
        stored.interface("eth\udc80")
    with pytest.raises(arpflux.InvalidInput, match="'name'"):
        stored.interface("eth\ud800")

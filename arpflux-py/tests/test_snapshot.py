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


def test_a_stranger_may_see_it(stored):
    other = stored.anonymised()
    assert [interface.index for interface in other.interfaces] == [3] and other.interfaces[0].name != "eth3"
    assert not any(secret in other.to_json() for secret in ("eth3", "192.168.18.", "00:0c:29"))
    assert len(other.matrix()) == len(stored.matrix())
    assert other.matrix().has_flux is stored.matrix().has_flux


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


def test_everything_of_an_interface_has_a_name(stored):
    given = {
        "altnames": ["enp3s0"],
        "macvlan_sources": ["02:00:00:00:00:01"],
        "bridging": {"vlan_filtering": True, "vlans": [{"first": 1, "last": 4, "pvid": False, "untagged": True}], "locked": True},
    }
    plain, full = stored.interface("eth3"), {**stored.interface("eth3").to_dict(), **given}
    assert (plain.altnames, plain.macvlan_sources, plain.bridging["locked"]) == ((), (), False)
    interface = arpflux.Interface.from_dict(full)
    assert (interface.altnames, interface.macvlan_sources) == (("enp3s0",), ("02:00:00:00:00:01",))
    assert interface.bridging["locked"] is True and interface.bridging["vlans"][0]["last"] == 4
    assert not [key for key in interface.to_dict() if not hasattr(interface, key)]


def test_routes_rules_and_neighbours_are_typed(stored):
    route, odd = stored.routes
    assert (route.table, route.kind, route.metric, route.protocol) == (254, arpflux.RouteKind.UNICAST, 100, 3)
    assert route.destination == ipaddress.ip_network("10.0.0.0/8") and route.source is None
    assert route.preferred_source == ipaddress.ip_address("192.168.18.11") and route.nexthop_id is None
    near, far = route.next_hops
    assert (near.interface, near.gateway, near.weight, near.flags) == (3, ipaddress.ip_address("192.168.18.1"), 1, 4)
    assert (far.interface, far.gateway, far.weight) == (None, ipaddress.ip_address("fe80::1"), 2)
    assert odd.kind == 77 and not isinstance(odd.kind, str) and odd.next_hops == ()
    assert repr(route) == "Route('10.0.0.0/8', kind='unicast', table=254)" and "kind='77'" in repr(odd)

    rule, other = stored.rules
    assert (rule.priority, rule.action, rule.table, rule.iif, rule.oif) == (1000, arpflux.RuleAction.TABLE, 254, "lo", None)
    assert rule.source == ipaddress.ip_network("192.168.18.0/24"), "bits behind the prefix do not count"
    assert (rule.fwmark, rule.fwmask, rule.suppress_prefix_len, rule.ip_protocol) == (5, 255, 31, 6)
    assert (rule.source_ports, rule.destination_ports, rule.uids) == ((1, 1023), None, (0, 4294967295))
    assert other.action == 9 and other.ipv6 and other.source == ipaddress.ip_network("fd00::/8")

    known, unknown = stored.neighbours
    assert (str(known.address), known.interface, known.mac, known.state) == ("192.168.18.129", 3, "00:0c:29:d2:c7:aa", 4)
    assert unknown.mac is None and unknown.flags == 1 and "None" in repr(unknown)


def test_what_else_a_snapshot_holds_is_typed(stored):
    assert stored.kernel == arpflux.KernelVersion("6.1.0-50-amd64", "#1 SMP Debian 6.1")
    assert stored.netns.cookie == 0 and stored.routing == arpflux.RoutingMemory()
    assert stored.all == {"arp_ignore": 1, "arp_announce": 0} and stored.default == {} == stored.all_ipv6
    assert (stored.ip_forward, stored.ip_nonlocal_bind, stored.fib_multipath_hash_policy) == (1, 0, None)
    kinds = [one.kind for one in stored.interference]
    assert kinds == list(arpflux.InterferenceKind)
    assert [one.to_dict() for one in stored.interference] == stored.to_dict()["interference"]
    full = stored.interference[4]
    assert (full.entries, full.limit, full.interface) == (1030, 1024, None)
    for one in stored.interference:
        assert arpflux.Interference.from_dict(one.to_dict()) == pickle.loads(pickle.dumps(one)) == one


def test_who_answers_for_an_ipv6_address(stored):
    assert stored.discovery is None, "it is older than that"
    unread = stored.explain("fd00::1", interface="eth3", sender="fd00::9")
    assert unread.answers is None and unread.missing == (arpflux.Missing.DISCOVERY,)
    with pytest.raises(arpflux.InvalidInput, match="different families"):
        stored.explain("fd00::1", interface="eth3", sender="192.168.18.129")

    values = stored.to_dict()
    group = "ff02::1:ff00:1"
    on = {"interface": 3, "proxy_delay": 800, "proxy_qlen": 64, "groups": [group], "anycast": ["fd00::"]}
    values["discovery"] = {"interfaces": [on]}
    newer = arpflux.Snapshot.from_dict(values)
    assert newer.discovery.interfaces[0].groups == (ipaddress.ip_address(group),)
    assert newer.discovery == arpflux.Discovery.from_dict(newer.to_dict()["discovery"])
    assert newer.explain("fd00::2", interface="eth3", sender="fd00::9").reason == arpflux.Reason.GROUP_NOT_JOINED


def test_whatever_a_dict_has_there_is_an_attribute_for(stored):
    route = stored.routes[0]
    for one in (
        *(stored, stored.interfaces[0], stored.interfaces[0].neigh, stored.addresses[0], stored.proxies[0]),
        *(route, route.next_hops[0], stored.rules[0], stored.neighbours[0]),
    ):
        for key, value in one.to_dict().items():
            if key == "schema":
                continue
            there = getattr(one, key)
            if isinstance(value, (int, dict)) and isinstance(there, (int, dict)):
                assert there == value, (type(one), key)
            assert (there is None) == (value is None), (type(one), key)


def test_effective_says_where_the_value_comes_from(stored):
    ignore = stored.effective("eth3", "arp_ignore")
    assert (ignore.value, ignore.source) == (1, "all")
    announce = stored.effective("eth3", "arp_announce")
    assert (announce.value, announce.source) == (2, "interface")
    assert stored.effective("eth3", "arp_ignore") == ignore


@pytest.mark.parametrize(
    "of",
    [
        *(lambda s: s, lambda s: s.interfaces[0], lambda s: s.addresses[0], lambda s: s.proxies[0]),
        *(lambda s: s.routes[0], lambda s: s.routes[1], lambda s: s.routes[0].next_hops[1]),
        *(lambda s: s.rules[0], lambda s: s.rules[1], lambda s: s.neighbours[0], lambda s: s.neighbours[1]),
        *(lambda s: s.kernel, lambda s: s.netns, lambda s: s.routing, lambda s: s.interference[0]),
    ],
)
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

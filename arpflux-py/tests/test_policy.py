"""Policies: the same in TOML, JSON and as a dict; refused with line and remedy."""

import ipaddress
import pickle

import pytest

import arpflux

TOML = """\
version = 1

[host]
interfaces = ["eth0", "eth3"]

[[proxy]]
owner = "101"
addresses = ["192.168.18.101"]
interface = "eth3"
"""


def test_all_forms_are_equal(tmp_path):
    policy = arpflux.Policy.from_toml(TOML)
    path = tmp_path / "policy.toml"
    path.write_text(TOML)
    forms = [
        arpflux.Policy.load(path),
        arpflux.Policy.load(str(path)),
        arpflux.Policy.from_toml(policy.to_toml()),
        arpflux.Policy.from_json(policy.to_json()),
        arpflux.Policy.from_dict(policy.to_dict()),
        arpflux.Policy.from_dict(
            {
                "version": 1,
                "host": {"interfaces": ["eth0", "eth3"]},
                "proxy": [
                    {"owner": "101", "addresses": [ipaddress.ip_address("192.168.18.101")], "interface": "eth3"}
                ],
            }
        ),
        pickle.loads(pickle.dumps(policy)),
    ]
    for form in forms:
        assert form == policy and hash(form) == hash(policy)
    assert policy != arpflux.Policy.from_toml("version = 1\n[host]")
    assert "101" in repr(policy)


def test_what_becomes_of_proxies_is_said_in_code_as_in_a_file():
    policy = arpflux.Policy(interfaces=["eth0"], foreign_proxies="remove", proxy_arp="off", proxy_delay=100)
    keys = 'foreign_proxies = "remove"\nproxy_arp = "off"\nproxy_delay = 100\n'
    assert policy == arpflux.Policy.from_toml('version = 1\n[host]\ninterfaces = ["eth0"]\n' + keys)
    assert (policy.foreign_proxies, policy.proxy_arp, policy.proxy_delay) == ("remove", "off", 100)
    other = arpflux.Policy(interfaces=["eth0"])
    assert (other.foreign_proxies, other.proxy_arp, other.proxy_delay) == ("keep", "keep", None)
    with pytest.raises(arpflux.InvalidPolicy, match="proxy_arp"):
        arpflux.Policy(proxy_arp="on")


def test_faults_name_file_line_and_remedy(tmp_path):
    with pytest.raises(arpflux.InvalidPolicy) as caught:
        arpflux.Policy.from_toml('version = 1\n[host]\nstratgey = "strict"\n', "my.toml")
    assert caught.value.object == "my.toml:3:1"
    assert "strategy" in str(caught.value)
    with pytest.raises(arpflux.InvalidPolicy):
        arpflux.Policy.from_dict({"version": 1, "host": {"interfaces": [1]}})
    with pytest.raises(TypeError):
        arpflux.Policy.from_dict("version = 1")
    with pytest.raises(arpflux.NotFound):
        arpflux.Policy.load(tmp_path / "none.toml")

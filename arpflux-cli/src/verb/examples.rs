//! The examples at the end of each verb's `--help`. A test parses every one of them.

pub(super) const EXPLAIN: &str = "\
Examples:
  arpflux explain                          who answers for each address of this host, bad ones first
  arpflux explain 192.168.18.10            who answers for it, rule by rule
  arpflux explain 192.168.18.10 --prove    decided for all senders, with a counter-example if not
  arpflux explain 192.168.18.10 --rehearse  this kernel asked as well, on a twin";
pub(super) const DIAGNOSE: &str = "\
Examples:
  arpflux diagnose                         what is wrong with this host
  arpflux diagnose --html report.html      the same as a page
  arpflux diagnose --list                  all findings there are";
pub(super) const RECOMMEND: &str = "\
Examples:
  arpflux recommend                        a policy for this host, with its reasons
  arpflux recommend -o policy.toml         the same into a file, for `arpflux plan`";
pub(super) const PLAN: &str = "\
Examples:
  arpflux plan --policy policy.toml        what would change, and which answers change with it
  arpflux plan --policy policy.toml --json > plan.json";
pub(super) const REHEARSE: &str = "\
Examples:
  arpflux rehearse --policy policy.toml    the plan for this host, tried by this kernel beforehand
  arpflux rehearse --policy policy.toml --snapshot host.json   of another host";
pub(super) const VERIFY: &str = "\
Examples:
  arpflux verify --policy policy.toml                by configuration and by the model
  arpflux verify --policy policy.toml --wire self    with frames as well, sent by this host to itself";
pub(super) const APPLY: &str = "\
Examples:
  arpflux apply --policy policy.toml --confirm 30s   undone unless `arpflux confirm` comes in time
  arpflux apply --policy policy.toml --persist       kept over a reboot as well";
pub(super) const ROLLBACK: &str = "\
Examples:
  arpflux rollback --list                  which transactions there are
  arpflux rollback                         take the last one back";
pub(super) const CONFIRM: &str = "\
Examples:
  arpflux confirm                          keep what is on trial
  arpflux confirm --status                 how long it has left";
pub(super) const RECOVER: &str = "\
Examples:
  arpflux recover                          after a crash or a power failure
  arpflux recover --netns hn               the same in a network namespace";
pub(super) const PROXY: &str = "\
Examples:
  arpflux proxy list
  arpflux proxy add -i eth3 192.168.18.101
  arpflux proxy del 192.168.18.101";
pub(super) const ANNOUNCE: &str = "\
Examples:
  arpflux announce -i eth3 192.168.18.11   peers replace the MAC that they remember
  arpflux announce -i eth3 192.168.18.11 192.168.18.12 --rounds 5";
pub(super) const DEMO: &str = "\
Examples:
  arpflux demo                             no root needed; nothing of this host is touched
  arpflux demo --out demo                  keeps the captures and all that was decided";
pub(super) const DETECT: &str = "\
Examples:
  arpflux detect 192.168.18.101            before a container gets it
  arpflux detect -i eth3 192.168.18.101 2001:db8:18::101";
pub(super) const PROBE: &str = "\
Examples:
  arpflux probe -i eth0 192.168.18.10      more than one MAC is flux, or a duplicate
  arpflux probe -i eth0 192.168.18.0/24
  arpflux probe -i eth0 2001:db8:18::10     an IPv6 address, by solicitations";
pub(super) const SCHEMA: &str = "\
Examples:
  arpflux schema                           the names
  arpflux schema policy                    for an editor that checks policy files";
pub(super) const SEGMENTS: &str = "\
Examples:
  arpflux segments                         which interfaces hear one another
  arpflux segments --hosts snapshots/      who answers on the wires that hosts share
  arpflux segments --hosts snapshots/ --policies policies/   in which order they are changed";
pub(super) const WATCH: &str = "\
Examples:
  arpflux watch --policy policy.toml          reports what drifts
  arpflux watch --policy policy.toml --heal   and puts it right";
pub(super) const VZ: &str = "\
Examples:
  arpflux vz setup --dry-run               what would change in vzctl's scripts
  arpflux vz status                        which container is published where";
pub(super) const SNAPSHOT: &str = "\
Examples:
  arpflux snapshot --json > host.json      to be looked at elsewhere:
  arpflux diagnose --snapshot host.json
  arpflux snapshot --json --anonymise      for a report that strangers may read";
pub(super) const COMPLETIONS: &str = "\
Examples:
  arpflux completions bash > /etc/bash_completion.d/arpflux
  arpflux completions zsh > /usr/local/share/zsh/site-functions/_arpflux";
pub(super) const PROXY_LIST: &str = "\
Examples:
  arpflux proxy list -i eth3 --by arpflux
  arpflux proxy list --prefix 192.168.18.0/24 --limit 1000";
pub(super) const PROXY_ADD: &str = "\
Examples:
  arpflux proxy add -i eth3 192.168.18.101
  arpflux proxy add -i eth3 --only --announce 192.168.18.101   and no other interface";
pub(super) const PROXY_DEL: &str = "\
Examples:
  arpflux proxy del 192.168.18.101
  arpflux proxy del -i eth3 192.168.18.101 192.168.18.102";

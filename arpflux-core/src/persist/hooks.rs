//! The unit and the scripts that apply the policy when the host or an interface comes up.

use std::path::PathBuf;

use super::{FileState, Layout, POLICY};
use crate::error::Result;

pub(super) const UNIT: &str = "/etc/systemd/system/arpflux.service";
pub(super) const UNIT_WANTED: &str = "/etc/systemd/system/multi-user.target.wants/arpflux.service";
pub(super) const IF_UP: &str = "/etc/network/if-up.d/arpflux";
pub(super) const DISPATCHER: &str = "/etc/NetworkManager/dispatcher.d/90-arpflux";

type Files = Vec<(PathBuf, FileState)>;

/// A unit that applies the policy and keeps it, enabled the way `systemctl enable` does it.
pub(super) fn unit(layout: &Layout) -> Result<Files> {
    let command = layout.checked_command()?;
    let text = format!(
        "# Written by `arpflux apply --persist`; `arpflux apply --persist` again writes it anew.\n\
         [Unit]\n\
         Description=Keep the ARP policy of {POLICY}\n\
         After=network.target systemd-sysctl.service\n\
         ConditionPathExists={POLICY}\n\
         \n\
         [Service]\n\
         Type=notify\n\
         ExecStart={command} watch --policy {POLICY} --heal\n\
         WatchdogSec=30\n\
         Restart=on-failure\n\
         RestartSec=5\n\
         RuntimeDirectory=arpflux\n\
         RuntimeDirectoryMode=0700\n\
         RuntimeDirectoryPreserve=yes\n\
         # /proc/sys has to be written: no ProtectKernelTunables.\n\
         CapabilityBoundingSet=CAP_NET_ADMIN CAP_NET_RAW\n\
         NoNewPrivileges=yes\n\
         ProtectSystem=strict\n\
         ProtectHome=yes\n\
         PrivateTmp=yes\n\
         PrivateDevices=yes\n\
         ProtectClock=yes\n\
         ProtectControlGroups=yes\n\
         ProtectHostname=yes\n\
         ProtectKernelLogs=yes\n\
         ProtectKernelModules=yes\n\
         LockPersonality=yes\n\
         MemoryDenyWriteExecute=yes\n\
         RestrictAddressFamilies=AF_NETLINK AF_PACKET AF_UNIX AF_INET AF_INET6\n\
         RestrictNamespaces=net\n\
         RestrictRealtime=yes\n\
         RestrictSUIDSGID=yes\n\
         SystemCallArchitectures=native\n\
         SystemCallFilter=@system-service\n\
         IPAddressDeny=any\n\
         UMask=0077\n\
         \n\
         [Install]\n\
         WantedBy=multi-user.target\n"
    );
    Ok(vec![
        (layout.below(UNIT), FileState::text(text, 0o644)),
        (layout.below(UNIT_WANTED), FileState::Link { target: UNIT.into() }),
    ])
}

/// A hook of ifupdown: run for every interface that comes up.
pub(super) fn if_up(layout: &Layout) -> Result<Files> {
    let text = script(
        layout,
        "# ifupdown runs this for each interface that has come up; \"--all\" stands for the end of `ifup -a`.\n\
         [ \"${METHOD:-}\" = loopback ] && exit 0\n",
    )?;
    Ok(vec![(layout.below(IF_UP), FileState::text(text, 0o755))])
}

/// A dispatcher script of NetworkManager, which wants it owned by root and not writable by others.
pub(super) fn dispatcher(layout: &Layout) -> Result<Files> {
    let text = script(
        layout,
        "# NetworkManager runs this with the interface and what happened to it.\n\
         case \"${2:-}\" in up|down|dhcp4-change|reapply|vpn-up) ;; *) exit 0 ;; esac\n",
    )?;
    Ok(vec![(layout.below(DISPATCHER), FileState::text(text, 0o755))])
}

fn script(layout: &Layout, when: &str) -> Result<String> {
    let command = layout.checked_command()?;
    Ok(format!(
        "#!/bin/sh\n\
         # Written by `arpflux apply --persist`.\n\
         {when}\
         [ -x {command} ] && [ -r {POLICY} ] || exit 0\n\
         # An interface that is not there yet must not keep the others from coming up.\n\
         {command} apply --policy {POLICY} || echo \"arpflux: the ARP policy could not be applied\" >&2\n\
         exit 0\n"
    ))
}

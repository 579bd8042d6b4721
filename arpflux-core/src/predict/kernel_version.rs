//! Where kernels differ, and which of them the snapshot came from.

use crate::snapshot::KernelVersion;

/// Yes, no, or not to be told from the version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Known {
    Yes,
    No,
    Unknown,
}

impl From<bool> for Known {
    fn from(yes: bool) -> Self {
        if yes { Self::Yes } else { Self::No }
    }
}

/// How this kernel behaves where kernels differ.
#[derive(Debug, Clone, Copy)]
pub(super) struct Behaviour {
    /// `all.proxy_arp_pvlan` counts (since 5.11).
    pub(super) all_pvlan: Known,
    /// `all.ignore_routes_with_linkdown` counts (since 5.11).
    pub(super) all_linkdown: Known,
    /// A route of main that rejects keeps the table default from being asked, while no rule was ever
    /// changed (since 7.2 and several stable releases).
    pub(super) rejection_stands: Known,
    /// The VRF is a field of its own in a lookup, instead of replacing the port (since 5.19, and in stable
    /// releases before it).
    pub(super) l3mdev_field: Known,
    /// `iif` and `oif` of a rule match the VRF of the port (since 6.15; before the VRF became a field by
    /// replacing the port).
    pub(super) rule_matches_vrf: Known,
    /// Of several next hops that one is taken from whose address the host's own packet is (since 6.16).
    pub(super) prefers_source: Known,
}

impl Behaviour {
    pub(super) fn of(kernel: &KernelVersion) -> Self {
        let Some((major, minor, stable)) = version(kernel) else {
            let unknown = Known::Unknown;
            return Self {
                all_pvlan: unknown,
                all_linkdown: unknown,
                rejection_stands: unknown,
                l3mdev_field: unknown,
                rule_matches_vrf: unknown,
                prefers_source: unknown,
            };
        };
        let at_least = |a: u32, b: u32| (major, minor) >= (a, b);
        // Stable releases that took the correction, per branch.
        let corrected =
            [(5, 10, 261), (5, 15, 212), (6, 1, 178), (6, 6, 145), (6, 12, 97), (6, 18, 40), (7, 1, 5)];
        let rejection_stands = if at_least(7, 2) {
            Known::Yes
        } else if let Some((.., from)) = corrected.iter().find(|(a, b, _)| (*a, *b) == (major, minor)) {
            match stable {
                Some(stable) => Known::from(stable >= *from),
                None => Known::Unknown,
            }
        } else if is_vendor(kernel) {
            // Vendors carry such corrections by hand.
            Known::Unknown
        } else {
            Known::No
        };
        let l3mdev_field = if at_least(5, 19) {
            Known::Yes
        } else if let Some((.., from)) =
            [(5, 10, 224), (5, 15, 165)].iter().find(|(a, b, _)| (*a, *b) == (major, minor))
        {
            stable.map_or(Known::Unknown, |stable| Known::from(stable >= *from))
        } else if is_vendor(kernel) || at_least(5, 4) {
            Known::Unknown
        } else {
            Known::No
        };
        let since_5_11 =
            if is_vendor(kernel) && !at_least(5, 11) { Known::Unknown } else { Known::from(at_least(5, 11)) };
        Self {
            all_pvlan: since_5_11,
            all_linkdown: since_5_11,
            rejection_stands,
            l3mdev_field,
            rule_matches_vrf: if at_least(6, 15) || l3mdev_field == Known::No {
                Known::Yes
            } else {
                Known::Unknown
            },
            prefers_source: if is_vendor(kernel) && !at_least(6, 16) {
                Known::Unknown
            } else {
                Known::from(at_least(6, 16))
            },
        }
    }
}

/// Major, minor and, where it can be told, the stable release. Debian and its relatives name the stable
/// release in `uname -v` only: `6.1.0-50-cloud-amd64` is `#1 SMP … Debian 6.1.176-1 (…)`.
pub(crate) fn version(kernel: &KernelVersion) -> Option<(u32, u32, Option<u32>)> {
    let (major, minor, stable) = numbers(&kernel.release)?;
    if let Some(named) = kernel.version.split(' ').skip_while(|word| *word != "Debian").nth(1)
        && let Some((a, b, stable)) = numbers(named)
        && (a, b) == (major, minor)
    {
        return Some((major, minor, stable));
    }
    // A distribution's own count (5.15.0-105-generic, 5.14.0-427.el9) hides the stable release.
    let hidden = is_vendor(kernel) || (stable == Some(0) && kernel.release.contains('-'));
    Some((major, minor, if hidden { None } else { stable }))
}

fn is_vendor(kernel: &KernelVersion) -> bool {
    kernel.release.contains(".el") || kernel.version.contains("Ubuntu")
}

fn numbers(text: &str) -> Option<(u32, u32, Option<u32>)> {
    let mut parts = text.split(['.', '-', '+', '~', '_']);
    let major = parts.next()?.parse().ok()?;
    let minor = parts.next()?.parse().ok()?;
    Some((major, minor, parts.next().and_then(|part| part.parse().ok())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kernel(release: &str, version: &str) -> KernelVersion {
        KernelVersion { release: release.into(), version: version.into() }
    }

    #[test]
    fn debian_names_the_stable_release_elsewhere() {
        let debian = kernel("6.1.0-50-cloud-amd64", "#1 SMP PREEMPT_DYNAMIC Debian 6.1.176-1 (2026-10-01)");
        assert_eq!(version(&debian), Some((6, 1, Some(176))));
        assert_eq!(Behaviour::of(&debian).rejection_stands, Known::No);
        assert_eq!(Behaviour::of(&kernel("6.18.44-fc", "#1 SMP")).rejection_stands, Known::Yes);
        assert_eq!(Behaviour::of(&kernel("6.18.39", "#1 SMP")).rejection_stands, Known::No);
        assert_eq!(Behaviour::of(&kernel("7.3.4+deb13-cloud-amd64", "")).rejection_stands, Known::Yes);
    }

    #[test]
    fn vrfs_changed_in_stable_releases_too() {
        let field = |release: &str| Behaviour::of(&kernel(release, "")).l3mdev_field;
        assert_eq!(field("5.10.223"), Known::No);
        assert_eq!(field("5.10.224"), Known::Yes);
        assert_eq!(field("5.15.164"), Known::No);
        assert_eq!(field("5.16.20"), Known::Unknown);
        assert_eq!(field("6.1.1"), Known::Yes);
    }

    #[test]
    fn where_the_version_cannot_tell() {
        let ubuntu = kernel("5.15.0-105-generic", "#115-Ubuntu SMP");
        assert_eq!(version(&ubuntu), Some((5, 15, None)));
        assert_eq!(Behaviour::of(&ubuntu).rejection_stands, Known::Unknown);
        assert_eq!(Behaviour::of(&kernel("", "")).all_pvlan, Known::Unknown);
        assert_eq!(
            Behaviour::of(&kernel("5.10.0-46-amd64", "#1 SMP Debian 5.10.262-1")).all_pvlan,
            Known::No
        );
        assert_eq!(Behaviour::of(&kernel("4.18.0-553.el8_10.x86_64", "#1 SMP")).all_pvlan, Known::Unknown);
    }
}

//! How a policy is watched.

use std::time::Duration;

use crate::apply;

/// Proxy entries are looked at this often at most, and at least (see [`super::Interval`]).
pub(super) const PROXY_POLL: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(2));

/// How a policy is watched.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Options {
    /// Put right what drifts; otherwise it is only told.
    pub heal: bool,
    /// The time between two looks at what no event tells of: sysctls set through netlink, or written by somebody who
    /// sees another mount of `/proc`. Default 5 s; at least 100 ms; longer, up to a minute, where that would cost more
    /// than a two-thousandth of a processor. Everything is read again only if these looks find a difference, and as
    /// seldom as a four-thousandth allows.
    pub look: Duration,
    /// The shortest time between two looks at the proxy entries, of which the kernel sends no news: what a quiet host
    /// costs. Default 20 ms; where each look is dear, they are rarer by themselves, up to 2 s, and where the policy says
    /// nothing of entries, as rare as `look`.
    pub proxy_poll: Duration,
    /// How a repair is run. The confirmation does not apply to it, nor the time to wait for another writer: the watch
    /// tries again by itself.
    pub apply: apply::Options,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            heal: false,
            look: Duration::from_secs(5),
            proxy_poll: PROXY_POLL.0,
            apply: apply::Options::default(),
        }
    }
}

impl Options {
    setters!(heal: bool, look: Duration, proxy_poll: Duration, apply: apply::Options);
}

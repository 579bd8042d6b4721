//! `__netif_receive_skb_core()`: which interface a frame ends up on.

use std::net::Ipv4Addr;

use super::ArpRequest;
use super::index::Upper;
use super::missing::Missing;
use super::reason::Reason;
use super::reply::Run;
use super::step::{Step, Trace};
use crate::snapshot::IpvlanMode;
use crate::types::{IfIndex, Mac};

/// Which interface drops a frame, why, and whether filters saw it.
pub(super) type Dropped = (Option<usize>, Reason, bool);

impl<T: Trace> Run<'_, '_, T> {
    /// Which interface handles the request.
    pub(super) fn receive(&mut self, request: &ArpRequest) -> Result<usize, Dropped> {
        let slot =
            self.arrive(request.interface, request.sender_mac, request.unicast, Some(request.target))?;
        let port = &self.model.ports[slot];
        let refused = if port.noarp {
            Some(Reason::NoArp)
        } else if port.loopback {
            Some(Reason::LoopbackInterface)
        } else if !port.ipv4 {
            Some(Reason::Ipv4Disabled)
        } else {
            None
        };
        match refused {
            Some(reason) => Err((Some(slot), reason, true)),
            None => Ok(slot),
        }
    }

    /// The same of any frame, of whatever protocol. `target`: the one of a request, by which ipvlan goes.
    pub(super) fn arrive(
        &mut self,
        interface: IfIndex,
        sender_mac: Option<Mac>,
        unicast: bool,
        target: Option<Ipv4Addr>,
    ) -> Result<usize, Dropped> {
        let model = self.model;
        let Some(mut slot) = model.slot(interface) else {
            return Err((None, Reason::NoInterface, false));
        };
        // A port of a bond that is a port of a bridge, and so on; more levels than the kernel allows.
        for _ in 0..8 {
            let port = &model.ports[slot];
            if !port.up {
                return Err((Some(slot), Reason::InterfaceDown, false));
            }
            if !port.carrier {
                return Err((Some(slot), Reason::NoCarrier, false));
            }
            let upper = match port.upper {
                Upper::Bridge { forwards: false, .. } => {
                    return Err((Some(slot), Reason::BridgePortBlocked, true));
                }
                Upper::Bridge { slot, .. } => slot,
                Upper::Bond { slot: upper, active } => {
                    // bond_should_deliver_exact_match(): balance-alb takes unicast frames on every port.
                    let by_all = unicast && model.ports[upper].balances_answers;
                    let active = match active {
                        Some(active) if active || !by_all => active,
                        _ => self.unknown(slot, Missing::Bond),
                    };
                    if !active {
                        return Err((Some(slot), Reason::BondBackupPort, true));
                    }
                    upper
                }
                Upper::Other => {
                    // Whatever took the frame may or may not give it to an interface that answers.
                    if self.unknown(slot, Missing::Bond) {
                        break;
                    }
                    return Err((Some(slot), Reason::NotProxied, true));
                }
                Upper::None => match port.passthru {
                    Some(upper) if unicast => upper,
                    _ => match target.filter(|_| port.ipvlans) {
                        Some(target) => match self.ipvlan(slot, target, unicast) {
                            Some(upper) => upper,
                            None => break,
                        },
                        None => break,
                    },
                },
            };
            if T::ON {
                let to = model.interface(upper);
                self.trace.push(Step::Handed {
                    from: model.interface(slot).name,
                    to: to.name,
                    kind: to.kind.clone().unwrap_or_else(|| "".into()),
                });
            }
            slot = upper;
        }
        let port = &model.ports[slot];
        if port.takes_sources {
            // `macvlan_hash_lookup_source()`: by the frame's sender.
            let sources = &model.interface(slot).macvlan_sources;
            let takes = match sender_mac {
                _ if port.sources_unknown => self.unknown(slot, Missing::MacvlanSource),
                Some(mac) => sources.contains(&mac),
                None => !sources.is_empty() && self.unknown(slot, Missing::MacvlanSource),
            };
            if !takes {
                return Err((Some(slot), Reason::NotProxied, true));
            }
        }
        Ok(slot)
    }

    /// The ipvlan that takes a request that arrives below it, by its target: in mode l2 what is sent to the interface's
    /// MAC alone, in mode l3 everything, in mode l3s nothing (`ipvlan_handle_frame()`).
    fn ipvlan(&mut self, below: usize, target: Ipv4Addr, unicast: bool) -> Option<usize> {
        let model = self.model;
        let holders = model.addresses.holders(target);
        for slot in holders.iter().map(|holder| *holder as usize) {
            let interface = model.interface(slot);
            let on_it = interface.link.map(|index| index.0) == Some(model.ports[below].index)
                && interface.link_netnsid.is_none()
                && model.ports[slot].up;
            let takes = match interface.ipvlan_mode.filter(|_| on_it) {
                Some(IpvlanMode::L2) => unicast,
                Some(IpvlanMode::L3) => true,
                Some(IpvlanMode::Other(_)) => self.unknown(slot, Missing::LinkOption),
                Some(IpvlanMode::L3s) | None => false,
            };
            if takes {
                return Some(slot);
            }
        }
        None
    }

    /// Asks about something unknown of an interface, and says so.
    pub(super) fn unknown(&mut self, slot: usize, missing: Missing) -> bool {
        if T::ON {
            let detail = self.model.interface(slot).name.to_string();
            self.trace.push(Step::Unknown { missing, detail });
        }
        self.oracle.ask(missing)
    }
}

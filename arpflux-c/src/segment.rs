//! Several hosts on one wire.

use std::ffi::c_char;
use std::ptr;
use std::sync::Arc;

use arpflux_core::segment::{Member, Port, Segment, SharedWires};
use arpflux_core::{Error, ErrorKind, Result, Stop};

use crate::args;
use crate::boundary::guard;
use crate::error::arpflux_error;
use crate::handle;
use crate::snapshot::{self, arpflux_snapshot};
use crate::string;

/// An interface of one of several hosts.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct arpflux_port {
    /// The place of the host among the snapshots, from 0.
    pub host: usize,
    /// The name of its interface.
    pub interface: *const c_char,
}

/// Who answers for each address that one of several hosts holds or proxies, on the wires they share. `names` and `snapshots` are
/// lists of `count` items: what to call each host, and its state.
///
/// `ports` are the `port_count` interfaces that share a wire; NULL: interfaces whose subnets overlap are taken to share one, and
/// there may be several wires.
///
/// Returns one JSON object with `"schema": 1`, as `arpflux explain --also --json` prints it, a text to be freed with
/// `arpflux_string_free`; or NULL and sets `*err`: `ARPFLUX_CODE_NOT_FOUND` if there is no such interface.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_segments_to_json(
    names: *const *const c_char,
    snapshots: *const *const arpflux_snapshot,
    count: usize,
    ports: *const arpflux_port,
    port_count: usize,
    err: *mut *mut arpflux_error,
) -> *mut c_char {
    // SAFETY: all pointers are as the conventions say.
    unsafe {
        guard(err, ptr::null_mut(), || {
            let names = args::texts(names, count, "names")?;
            let snapshots: Vec<Arc<snapshot::Owned>> = args::list(snapshots, count, "snapshots")?
                .iter()
                .map(|snapshot| handle::get::<snapshot::Owned>(*snapshot))
                .collect::<Result<_>>()?;
            let members: Vec<Member<'_>> = names
                .iter()
                .zip(&snapshots)
                .map(|(name, snapshot)| Member::new(name, &snapshot.snapshot))
                .collect::<Result<_>>()?;
            let stop = Stop::default();
            let shared = match args::optional_list(ports, port_count, "ports")? {
                None => SharedWires::inferred(&members, None, &stop)?,
                Some(ports) => SharedWires::judge(&members, &[given(ports, &members)?], None, &stop)?,
            };
            Ok(string::give(&shared.to_json()?))
        })
    }
}

/// The wire that the caller names.
///
/// # Safety
/// The ports' names end in NUL.
unsafe fn given(ports: &[arpflux_port], members: &[Member<'_>]) -> Result<Segment> {
    let mut found = Vec::new();
    for port in ports {
        let member = members.get(port.host).ok_or_else(|| {
            Error::new(ErrorKind::InvalidInput, format!("there is no host {}", port.host))
                .during("call with argument")
                .on("ports.host")
        })?;
        // SAFETY: the caller says so.
        let name = unsafe { args::if_name(port.interface, "ports.interface")? };
        let interface = args::interface(member.snapshot(), &name)?.index;
        found.push(Port { member: port.host, interface });
    }
    Ok(Segment::known(found))
}

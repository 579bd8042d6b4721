//! What `diagnose --persisted` says about the next boot, against the programs that run there.
//!
//! Each tree is laid out as the root of a mount namespace with a fresh network namespace. systemd-sysctl, procps, busybox,
//! udevadm, ufw-init, systemd-networkd, ifup, netplan and TuneD of Debian 12 run there in the order in which their units start
//! them, once with the NICs there before `sysctl.d` is read and once after; every value that they leave is compared with
//! the prediction.

#![allow(missing_docs, reason = "a test")]

mod layouts;
mod mixes;
mod real;
mod tree;

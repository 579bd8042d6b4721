//! `arpflux vz` in the page's lab, driven by scripts with the calling convention of vzctl and libvzctl.
#![allow(missing_docs, reason = "a test")]

mod administrator;
mod bench;
mod faults;
mod lab;
mod many;
mod owners;
mod random;
mod setup;
mod trial;
mod verbs;

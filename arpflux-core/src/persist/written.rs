//! Which files arpflux writes: no other is changed by a transaction, nor by undoing what a journal says.

use std::path::{Component, Path};

use super::{FileChange, FileState, POLICY, hooks, networkd, sysctld};
use crate::error::{Error, ErrorKind, Result};
use crate::vz;

/// Below the root; those of vzctl's integration and of its registry are where the caller says.
const FILES: [&str; 7] = [
    POLICY,
    sysctld::FILE,
    hooks::UNIT,
    hooks::UNIT_WANTED,
    hooks::IF_UP,
    hooks::DISPATCHER,
    networkd::LENIENT,
];

impl FileChange {
    /// Whether a transaction may make it, and take it back.
    ///
    /// # Errors
    /// [`ErrorKind::Refused`] if arpflux writes no such file, or one of the two modes has more than permissions.
    pub(crate) fn check(&self) -> Result<()> {
        let refused = |why: String| Error::new(ErrorKind::Refused, why).on(self.path.as_path());
        if !self.is_written() {
            return Err(refused("arpflux writes no such file".into()));
        }
        for state in [&self.before, &self.after] {
            if let FileState::Regular { mode, .. } = state
                && mode & !0o777 != 0
            {
                return Err(refused(format!("its mode is {mode:o}, and only permissions are put back")));
            }
        }
        Ok(())
    }

    fn is_written(&self) -> bool {
        let Ok(inside) = self.path.strip_prefix(&self.root) else { return false };
        let path = Path::new("/").join(inside);
        let plain = |path: &Path| {
            path.is_absolute()
                && path.components().all(|part| matches!(part, Component::RootDir | Component::Normal(_)))
        };
        plain(&self.path)
            && (FILES.iter().any(|file| Path::new(file) == path)
                || networkd::is_drop_in(&path)
                || vz::writes(&self.path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_of_arpflux_are_changed() {
        let checked = |root: &str, path: &str, mode| {
            let after = FileState::text("", mode);
            FileChange { root: root.into(), ..FileChange::new(path.into(), FileState::Absent, after) }.check()
        };
        for (root, path) in [
            ("/", "/etc/arpflux/policy.toml"),
            ("/image", "/image/etc/sysctl.d/99-zz-arpflux.conf"),
            ("/", "/etc/systemd/network/10-eth.network.d/90-arpflux.conf"),
            ("/", "/run/arpflux/ns-4026531840/containers.toml"),
            ("/", "/run/arpflux/ns-1/settings.json"),
            ("/", "/usr/libexec/vzctl/scripts/vps-functions"),
            ("/", "/etc/vz/arpflux/vz.conf"),
            ("/", "/usr/libexec/libvzctl/script.d/vz-stop"),
        ] {
            checked(root, path, 0o644).unwrap();
            for mode in [0o4755, 0o2644, 0o1777] {
                assert_eq!(checked(root, path, mode).unwrap_err().kind(), ErrorKind::Refused, "{mode:o}");
            }
        }
        for (root, path) in [
            ("/", "/etc/shadow"),
            ("/", "/etc/cron.d/arpflux"),
            ("/", "/etc/systemd/system/other.service"),
            ("/", "/etc/sysctl.d/../cron.d/99-zz-arpflux.conf"),
            ("/", "/x/../etc/arpflux/policy.toml"),
            ("/", "/image/etc/sysctl.d/99-zz-arpflux.conf"),
            ("/image", "/etc/sysctl.d/99-zz-arpflux.conf"),
            ("/", "/etc/systemd/network/a/b.network.d/90-arpflux.conf"),
            ("/", "/etc/systemd/system/a.network.d/90-arpflux.conf"),
            ("/", "/etc/containers.toml"),
            ("/", "/etc/ns-x/containers.toml"),
            ("/", "/usr/bin/vz-stop"),
            ("/", "/etc/vzctl.sh"),
            ("", "etc/arpflux/policy.toml"),
        ] {
            assert_eq!(checked(root, path, 0o644).unwrap_err().kind(), ErrorKind::Refused, "{path}");
        }
    }
}

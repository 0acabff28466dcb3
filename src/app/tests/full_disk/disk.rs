//! A disk that can be filled.

use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::process::Command;

use tempfile::TempDir;

/// A file system of one megabyte, gone with this value.
pub(super) struct SmallDisk {
    folder: TempDir,
}

impl SmallDisk {
    /// Mounts one, which takes the rights of root.
    pub(super) fn mount() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(folder.path());
        let mounted = mount.output().unwrap();
        let refusal = String::from_utf8_lossy(&mounted.stderr);
        assert!(mounted.status.success(), "no small disk can be mounted: {}", refusal.trim());
        Self { folder }
    }

    /// The address of a database on it.
    pub(super) fn database(&self) -> String {
        format!("sqlite://{}/flow.db", self.folder.path().display())
    }

    /// Takes all the space that is left.
    pub(super) fn fill(&self) {
        let mut ballast = File::create(self.folder.path().join("ballast")).unwrap();
        let full = loop {
            if let Err(error) = ballast.write_all(&[0; 512]) {
                break error;
            }
        };
        assert_eq!(full.kind(), ErrorKind::StorageFull);
    }

    /// Gives it back.
    pub(super) fn free(&self) {
        fs::remove_file(self.folder.path().join("ballast")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: the database may still have its files open.
        let _ = Command::new("umount").arg("--lazy").arg(self.folder.path()).status();
    }
}

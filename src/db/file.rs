//! The file of an SQLite database.

use std::fs::{File, Metadata, OpenOptions, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use sqlx::sqlite::SqliteConnectOptions;

/// The file that was opened, to tell it from another one in its place later.
#[derive(Clone)]
pub(super) struct OpenedFile {
    path: Arc<Path>,
    identity: Identity,
}

/// What stays when a file is written to, and not when another one takes its place.
type Identity = (u64, u64);

impl OpenedFile {
    /// The file at `path`.
    pub(super) fn at(path: PathBuf) -> std::io::Result<Self> {
        let identity = identity(&path.metadata()?);
        Ok(Self { path: path.into(), identity })
    }

    /// Opens the file `<this one>.<name>`, which is created where there is none.
    pub(super) fn open_beside(&self, name: &str) -> anyhow::Result<File> {
        // The same one for all who open the database, by whatever path.
        let path = self.path.canonicalize();
        let path = path.with_context(|| format!("cannot look at {}", self.path.display()))?;
        open_beside(&path, name)
    }

    /// Fails when the file was removed or replaced. SQLite would go on writing into a file that no longer has a name,
    /// and all of it would be gone with the process.
    pub(super) fn is_in_place(&self) -> anyhow::Result<()> {
        match self.path.metadata() {
            Ok(found) if identity(&found) == self.identity => Ok(()),
            Err(error) if error.kind() != ErrorKind::NotFound => {
                bail!("cannot look at the database {}: {error}", self.path.display())
            }
            Ok(_) | Err(_) => bail!(
                "the database {} was moved, removed or replaced while it was in use; put it back, or restart \
                 prometei-flow once the right file is in its place",
                self.path.display()
            ),
        }
    }
}

#[cfg(unix)]
fn identity(file: &Metadata) -> Identity {
    use std::os::unix::fs::MetadataExt as _;
    (file.dev(), file.ino())
}

/// Elsewhere a file that is open cannot be removed.
#[cfg(not(unix))]
fn identity(_: &Metadata) -> Identity {
    (0, 0)
}

/// Makes this process the only service on the file at `url`, until the returned file is closed or the process ends,
/// however it ends.
pub(super) fn lock(url: &str) -> anyhow::Result<File> {
    let path = path(url)?;
    let file = open_beside(&path, "lock")?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => bail!(
            "another prometei-flow serves this database ({}.lock is locked); stop it, or use PostgreSQL \
             (DATABASE_URL=postgres://...) for several replicas",
            path.display()
        ),
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("cannot lock {}.lock", path.display()))
        }
    }
}

fn open_beside(path: &Path, name: &str) -> anyhow::Result<File> {
    let mut path = path.as_os_str().to_owned();
    path.push(".");
    path.push(name);
    let path = PathBuf::from(path);
    let file = create_private(&path).and_then(|()| File::open(&path));
    file.with_context(|| format!("cannot create {}", path.display()))
}

pub(super) fn path(url: &str) -> anyhow::Result<PathBuf> {
    if url.contains(":memory:") || url.contains("mode=memory") {
        bail!("a database in memory would lose what was answered 200; give a file");
    }
    let options = SqliteConnectOptions::from_str(url).context("the database URL cannot be read")?;
    Ok(options.get_filename().to_owned())
}

/// Creates the file, readable by its owner alone: it will hold tokens. SQLite gives the files that it puts
/// next to it the same rights. An existing file stays as it is.
pub(super) fn create_private(path: &Path) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_file_has_one_service_and_the_next_one_may_follow() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/flow.db", folder.path().display());
        let first = super::lock(&url).unwrap();
        let refused = super::lock(&url).unwrap_err().to_string();
        assert!(refused.starts_with("another prometei-flow serves this database"), "{refused}");
        drop(first);
        super::lock(&url).unwrap();
    }
}

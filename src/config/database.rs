//! The database.

use std::fmt;

use super::reader::Reader;

/// Where the database is.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct DatabaseSettings {
    /// `sqlite://<path>` or `postgres://...`.
    pub url: String,
}

/// Without what stands between the scheme and the host: a password.
impl fmt::Debug for DatabaseSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = match self.url.rsplit_once('@') {
            Some((_, server)) => format!("postgres://...@{server}"),
            None => self.url.clone(),
        };
        f.debug_struct("DatabaseSettings").field("url", &shown).finish()
    }
}

pub(super) fn read(reader: &mut Reader<'_>) -> DatabaseSettings {
    let url = reader.parsed("DATABASE_URL", database_url);
    DatabaseSettings { url: url.unwrap_or_else(|| "sqlite://prometei-flow.db".to_owned()) }
}

fn database_url(text: &str) -> Result<String, String> {
    if let Some(server) =
        text.strip_prefix("postgres://").or_else(|| text.strip_prefix("postgresql://"))
    {
        return match server {
            "" => Err("names no server; write postgres://user:password@host/database".into()),
            _ => Ok(text.to_owned()),
        };
    }
    if text.contains(":memory:") || text.contains("mode=memory") {
        return Err("a database in memory would lose deals; write sqlite://<path>".into());
    }
    match text.strip_prefix("sqlite:").map(|path| path.trim_start_matches("//")) {
        None | Some("") => Err("is no database address; write sqlite://<path> or postgres://user:password@host/database".into()),
        Some(_) => Ok(text.to_owned()),
    }
}

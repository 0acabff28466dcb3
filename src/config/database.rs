//! The database.

use super::reader::Reader;

/// Where the database is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseSettings {
    /// `sqlite://<path>`.
    pub url: String,
}

pub(super) fn read(reader: &mut Reader<'_>) -> DatabaseSettings {
    let url = reader.parsed("DATABASE_URL", database_url);
    DatabaseSettings { url: url.unwrap_or_else(|| "sqlite://prometei-flow.db".to_owned()) }
}

fn database_url(text: &str) -> Result<String, String> {
    if text.starts_with("postgres:") || text.starts_with("postgresql:") {
        return Err("PostgreSQL comes with a later version; for now write sqlite://<path>".into());
    }
    if text.contains(":memory:") || text.contains("mode=memory") {
        return Err("a database in memory would lose deals; write sqlite://<path>".into());
    }
    match text.strip_prefix("sqlite:").map(|path| path.trim_start_matches("//")) {
        None | Some("") => Err("is no database address; write sqlite://<path>".into()),
        Some(_) => Ok(text.to_owned()),
    }
}

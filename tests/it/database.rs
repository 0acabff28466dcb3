//! A database for each test, see [`sandbox::Database`].

/// An empty database, on SQLite gone with this value.
pub(crate) struct Database {
    pub(crate) url: String,
    pub(crate) database: sandbox::Database,
}

impl Database {
    /// On SQLite, or where asked for on PostgreSQL.
    pub(crate) async fn new() -> Self {
        Self::of(sandbox::Database::new().await.unwrap())
    }

    /// On PostgreSQL.
    pub(crate) async fn shared() -> Self {
        Self::of(sandbox::Database::shared().await.unwrap())
    }

    fn of(database: sandbox::Database) -> Self {
        Self { url: database.url().to_owned(), database }
    }
}

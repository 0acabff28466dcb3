//! Kept bodies of which something could not be read, for a person to look at.

use jiff::Timestamp;

use super::store::Inbox;
use super::table;

/// A kept body of which something could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UnreadableBody {
    /// Its row in the table `webhook_bodies`.
    pub id: String,
    /// When it came in.
    pub received_at: Timestamp,
    /// Its size, as it came.
    pub bytes: i64,
    /// What could not be read, and why.
    pub problem: String,
}

impl Inbox {
    /// The kept bodies of which something could not be read, newest first.
    pub(crate) async fn unreadable(&self, limit: u32) -> anyhow::Result<Vec<UnreadableBody>> {
        table::unreadable(&self.db, limit).await
    }
}

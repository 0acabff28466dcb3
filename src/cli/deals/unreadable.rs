use std::io::Write;

use serde::Serialize;

use super::SHOWN;
use crate::inbox::{Inbox, UnreadableBody};

/// A kept webhook of which something could not be read.
#[derive(Serialize)]
pub(super) struct Unreadable {
    /// Its row in the table `webhook_bodies`.
    id: String,
    since: String,
    bytes: i64,
    problem: String,
}

impl From<UnreadableBody> for Unreadable {
    fn from(body: UnreadableBody) -> Self {
        let since = format!("{:.0}", body.received_at);
        Self { id: body.id, since, bytes: body.bytes, problem: body.problem }
    }
}

impl Unreadable {
    /// The newest of them.
    pub(super) async fn of(inbox: &Inbox) -> anyhow::Result<Vec<Self>> {
        Ok(inbox.unreadable(SHOWN).await?.into_iter().map(Self::from).collect())
    }

    /// Prints the newest of `count`.
    pub(super) fn print(webhooks: &[Self], count: i64, out: &mut impl Write) -> anyhow::Result<()> {
        if count == 0 {
            return Ok(());
        }
        writeln!(
            out,
            "webhooks of the last 30 days that could not be read, or not all of them: {count}"
        )?;
        for Self { id, since, bytes, problem } in webhooks {
            writeln!(out, "{id}  {since}  {bytes} bytes\n    {problem}")?;
        }
        writeln!(
            out,
            "    -> the bodies are in the table webhook_bodies, by these ids; a lead that one names and that has no record: \
             move it into its stage once more"
        )?;
        Ok(())
    }
}

//! Whether reconciliation keeps up with what happens in amoCRM.

use super::Finding;
use crate::deals::Dedupe;
use crate::reconcile::{Progress, behind_limit};

/// Nothing where reconciliation is switched off. What is wrong with the database is found elsewhere.
pub(super) async fn examine(progress: &Progress, dedupe: Dedupe) -> Vec<Finding> {
    let check = "reconciliation";
    let Ok(Some(behind)) = progress.behind().await else { return Vec::new() };
    let minutes = behind.as_mins();
    if behind <= behind_limit(dedupe) {
        return vec![Finding::ok(
            check,
            format!("amoCRM's events are read up to {minutes} min ago"),
        )];
    }
    vec![Finding::warning(
        check,
        format!(
            "amoCRM's events are read only up to {minutes} min ago: leads of lost webhooks wait"
        ),
        "look at the runs of reconcileLeads in the Inngest dashboard: it should run every five minutes",
    )]
}

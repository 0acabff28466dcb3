//! A deal that is not done, as a person reads it.

use std::collections::HashMap;

use functions::ports::WaitsFor;
use jiff::Timestamp;
use serde::Serialize;

use super::next::{Duty, Next, name};
use crate::db::Db;
use crate::deals::{self, KnownDeal, Progress, UnfinishedDeal};
use crate::inbox::{HeldRow, Inbox};

/// One deal.
#[derive(Serialize)]
pub(crate) struct Item {
    pub(crate) state: &'static str,
    pub(crate) key: String,
    pub(crate) lead: Option<i64>,
    /// When it was first reported.
    pub(crate) since: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) run: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) event: Option<String>,
    /// Whether nothing more happens without a person.
    pub(crate) needs_person: bool,
    /// What it waits for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) waits_for: Option<&'static str>,
    /// Why it has no record yet, where something went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
    /// The same without what only those may see who may see names and amounts, where it is another text.
    #[serde(skip)]
    pub(crate) discreet: Option<String>,
    /// What happens next, or what a person must do.
    pub(crate) next: Next,
}

impl Item {
    /// At most `limit` of those that a person may want to see, those that need one first; and whether that is all.
    pub(crate) async fn all(
        inbox: &Inbox,
        db: &Db,
        limit: u32,
    ) -> anyhow::Result<(Vec<Self>, bool)> {
        let (deals, differing, held) = tokio::try_join!(
            deals::unfinished(db, limit + 1),
            deals::differing(db, limit + 1),
            inbox.held(limit + 1),
        )?;
        let complete = deals.len() + differing.len() <= limit as usize;
        let held: HashMap<_, _> = held.iter().map(|row| (row.id.as_str(), row)).collect();
        let now = db.time();
        let item = |deal: UnfinishedDeal| {
            let held = deal.event_id.as_deref().and_then(|event| held.get(event)).copied();
            Self::of(deal, held, now)
        };
        let items = deals.into_iter().map(item).chain(differing.into_iter().map(Self::from));
        Ok((items.take(limit as usize).collect(), complete))
    }

    /// The one of a deal that is known; `None` where nothing is to be done about it.
    pub(super) async fn one(
        inbox: &Inbox,
        db: &Db,
        deal: &KnownDeal,
    ) -> anyhow::Result<Option<Self>> {
        if let Some(differing) = deals::differing_deal(db, &deal.key).await? {
            return Ok(Some(differing.into()));
        }
        let Some(unfinished) = deals::unfinished_deal(db, &deal.key).await? else {
            return Ok(None);
        };
        let held = match &unfinished.event_id {
            Some(event) => inbox.held_event(event).await?,
            None => None,
        };
        Ok(Some(Self::of(unfinished, held.as_ref(), db.time())))
    }

    /// `held` is the event of the deal, where Inngest has not taken it so far.
    pub(crate) fn of(deal: UnfinishedDeal, held: Option<&HeldRow>, now: Timestamp) -> Self {
        let needs_person = deal.waits_for == Some(WaitsFor::Person);
        let next = next(&deal, held, now);
        let waits_for = match (deal.waits_for, held) {
            (None, Some(_)) => Some("Inngest"),
            (waits_for, _) => waits_for.map(name),
        };
        let reason = held.map(|held| held.reason.clone()).or(deal.reason);
        Self {
            state: state(deal.progress),
            key: deal.key,
            lead: deal.lead_id,
            since: format!("{:.0}", deal.created_at),
            run: deal.run_id,
            event: deal.event_id,
            needs_person,
            waits_for,
            reason,
            discreet: None,
            next,
        }
    }
}

impl Item {
    /// Whether only a look into the ERP can show if it has a record.
    pub(super) fn is_in_doubt(&self) -> bool {
        self.state == state(Progress::InDoubt)
    }
}

fn state(progress: Progress) -> &'static str {
    match progress {
        Progress::Waiting => "waiting",
        Progress::Forwarded => "forwarded",
        Progress::Sending => "sending",
        Progress::InDoubt => "in doubt",
        Progress::Failed => "failed",
    }
}

fn next(deal: &UnfinishedDeal, held: Option<&HeldRow>, now: Timestamp) -> Next {
    let due = deal.due_at.filter(|due| *due > now);
    match deal.waits_for {
        Some(WaitsFor::Person) => {
            let in_doubt = deal.progress == Progress::InDoubt;
            let duty = if in_doubt { Duty::LookInErp } else { Duty::Mend };
            return Next::Person(duty, options(deal.lead_id, &deal.key));
        }
        // A run has just met it, and has attempts left, as far as is known.
        Some(waits_for) if deal.progress == Progress::Forwarded => {
            return Next::RunTries(waits_for);
        }
        Some(waits_for) => return Next::Waits(waits_for, due),
        None => {}
    }
    match (deal.progress, held) {
        (_, Some(held)) if held.attempts == 0 => Next::Registration,
        (_, Some(held)) => Next::Inngest(held.attempts),
        (Progress::Waiting, None) if deal.due_at.is_some() => Next::Soon,
        (Progress::Waiting, None) => Next::AtOnce,
        (Progress::Sending, None) => Next::Sending,
        (Progress::Forwarded, None) => Next::WithInngest(due),
        (Progress::Failed | Progress::InDoubt, None) => Next::Again(due),
    }
}

/// By which options the other commands know the deal.
pub(super) fn options(lead_id: Option<i64>, key: &str) -> String {
    match (lead_id, key.split_once(":event:")) {
        (Some(lead), Some((_, event))) => format!("--lead {lead} --event {event}"),
        (Some(lead), None) => format!("--lead {lead}"),
        (None, _) => format!("--run {}", key.trim_start_matches("run:")),
    }
}

#[cfg(test)]
mod tests {
    use functions::ports::WaitsFor;
    use jiff::Timestamp;

    use super::next;
    use crate::deals::{Progress, UnfinishedDeal};

    #[test]
    fn what_happens_next_is_what_the_service_will_do() {
        let now: Timestamp = "2026-11-22T10:00:00Z".parse().unwrap();
        let due = now + std::time::Duration::from_secs(60 * 15);
        let says = |progress, waits_for, due_at| {
            let deal = UnfinishedDeal {
                key: "lead:7".to_owned(),
                lead_id: Some(7),
                run_id: None,
                event_id: None,
                progress,
                waits_for,
                reason: None,
                due_at,
                created_at: now,
                updated_at: now,
            };
            next(&deal, None, now).to_string()
        };
        let erp = Some(WaitsFor::Erp);
        let run = says(Progress::Forwarded, erp, Some(due));
        assert!(run.starts_with("waits for the ERP: its run tries again"), "{run}");
        let failed = says(Progress::Failed, erp, Some(due));
        assert_eq!(failed, "waits for the ERP, next try 2026-11-22T10:15:00Z");
        let over = says(Progress::Failed, erp, Some(now));
        assert_eq!(over, "waits for the ERP, and goes on by itself once that is there");
        let silent = says(Progress::Forwarded, None, Some(due));
        assert!(silent.contains("sent again 2026-11-22T10:15:00Z if nothing"), "{silent}");
        let doubt = says(Progress::InDoubt, Some(WaitsFor::Person), None);
        assert!(doubt.contains("deals resolve --lead 7 --erp-id"), "{doubt}");
    }
}

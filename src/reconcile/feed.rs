//! amoCRM's events feed: what happened to leads, whether or not a webhook reported it.

use std::sync::atomic::{AtomicBool, Ordering};

use functions::ports::{self, FeedPage, FeedWindow, LeadFeed, Sight};
use serde_json::Value;

use super::entry::{Entry, MERGED, number};
use crate::amocrm::{AmoCrmPort, ApiError};
use crate::deals::OnChange;
use crate::metrics::Metrics;

/// The most events that amoCRM gives on one page.
const PAGE: usize = 100;

/// Changes of status.
const MOVES: [&str; 1] = ["lead_status_changed"];

/// Every other kind of event that can put a lead into a stage. amoCRM documents none for a lead that
/// is accepted out of "unsorted"; such a lead was added, and is looked at because of that.
const ARRIVALS: [&str; 2] = ["lead_added", "lead_restored"];

/// What matters of leads that have a deal.
const ENDS: [&str; 2] = ["lead_deleted", MERGED];
const EDITS: [&str; 2] = ["sale_field_changed", "name_field_changed"];

/// amoCRM's feed, for reconciliation.
pub(crate) struct AmoCrmFeed {
    amocrm: AmoCrmPort,
    stages: Vec<(u64, u64)>,
    metrics: Metrics,
    /// Every kind but changes of status.
    others: Vec<&'static str>,
    /// amoCRM has refused the filter by stage.
    unfiltered: AtomicBool,
    /// amoCRM has refused some of the other kinds.
    only_arrivals: AtomicBool,
}

impl AmoCrmFeed {
    pub(super) fn new(
        amocrm: AmoCrmPort,
        stages: Vec<(u64, u64)>,
        on_change: OnChange,
        metrics: Metrics,
    ) -> Self {
        let mut others = [ARRIVALS, ENDS].concat();
        if on_change != OnChange::Ignore {
            others.extend(EDITS);
        }
        let (unfiltered, only_arrivals) = Default::default();
        Self { amocrm, stages, metrics, others, unfiltered, only_arrivals }
    }

    /// Changes of status: into our stages alone, which are few where all of them are many.
    async fn moves(&self, window: &FeedWindow, page: u32) -> ports::Result<FeedPage> {
        let query = query(window, page, &MOVES);
        if !self.unfiltered.load(Ordering::Relaxed) {
            let mut narrow = query.clone();
            for (n, (pipeline, status)) in self.stages.iter().enumerate() {
                let name = |id| format!("filter[value_after][leads_statuses][{n}][{id}]");
                narrow.push((name("pipeline_id"), pipeline.to_string()));
                narrow.push((name("status_id"), status.to_string()));
            }
            match self.read(window, &MOVES, narrow).await? {
                Ok(page) => return Ok(page),
                Err(ApiError::Refused(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let page = self.read(window, &MOVES, query).await??;
        if !self.unfiltered.swap(true, Ordering::Relaxed) {
            tracing::info!(
                "amoCRM refuses to narrow its events to our stages: all of them are read"
            );
        }
        Ok(page)
    }

    /// Everything else. An amoCRM that refuses to be asked for a kind of event must not keep the leads of lost webhooks back.
    async fn others(&self, window: &FeedWindow, page: u32) -> ports::Result<FeedPage> {
        if !self.only_arrivals.load(Ordering::Relaxed) {
            let kinds = self.others.as_slice();
            match self.read(window, kinds, query(window, page, kinds)).await? {
                Ok(page) => return Ok(page),
                Err(ApiError::Refused(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let page = self.read(window, &ARRIVALS, query(window, page, &ARRIVALS)).await??;
        if !self.only_arrivals.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "amoCRM refuses to list edits, deletions and merges of leads: only webhooks report them"
            );
        }
        Ok(page)
    }

    /// The page that `query` asks for, without what it did not ask for.
    async fn read(
        &self,
        window: &FeedWindow,
        kinds: &[&str],
        query: Vec<(String, String)>,
    ) -> ports::Result<Result<FeedPage, ApiError>> {
        let read = self.amocrm.client()?.get::<Value>("/api/v4/events", query).await;
        Ok(match read {
            Ok(Some(page)) => match entries(&page) {
                Some(entries) => Ok(self.page_of(&page, &entries, kinds, window)),
                None => Err(ApiError::Unreadable("it has no list of events".to_owned())),
            },
            Ok(None) => Ok(FeedPage::default()),
            Err(error) => Err(error),
        })
    }

    fn page_of(
        &self,
        page: &Value,
        entries: &[&Value],
        kinds: &[&str],
        window: &FeedWindow,
    ) -> FeedPage {
        // amoCRM is known to leave the link out of a full page. It is only asked whether it is there: no address is
        // taken from an answer.
        let named = page["_links"]["next"].is_object() && !entries.is_empty();
        let mut read = FeedPage::default();
        for entry in entries {
            match Entry::read(entry, kinds, window) {
                Entry::Event(event) if event.action.makes_deal() => read.events.push(event),
                Entry::Event(event) => read.changes.push(event),
                Entry::Merge(merge) => read.merges.push(merge),
                Entry::NotAskedFor => {}
                Entry::Odd(what) => {
                    self.metrics.feed_entry_odd();
                    let entry: String = entry.to_string().chars().take(300).collect();
                    tracing::warn!(what, entry, "an entry of amoCRM's events is passed over");
                }
            }
        }
        FeedPage { more: named || entries.len() >= PAGE, ..read }
    }
}

impl LeadFeed for AmoCrmFeed {
    /// The pages of that number of both lists: amoCRM narrows only one of them to our stages.
    async fn page(&self, window: &FeedWindow, page: u32) -> ports::Result<FeedPage> {
        let moves = self.moves(window, page).await?;
        let mut page = self.others(window, page).await?;
        page.events.splice(0..0, moves.events);
        Ok(FeedPage { more: moves.more || page.more, ..page })
    }

    async fn look(&self, lead_id: u64) -> ports::Result<Sight> {
        let path = format!("/api/v4/leads/{lead_id}");
        match self.amocrm.client()?.get::<Value>(&path, Vec::new()).await {
            Ok(Some(lead)) => Ok(sight(lead_id, &lead)),
            Ok(None) => Ok(Sight::Absent),
            Err(ApiError::Refused(why)) if why.starts_with("HTTP 404") => Ok(Sight::Absent),
            // Perhaps of this lead alone: where amoCRM is away, the next page cannot be read either.
            Err(
                error @ (ApiError::Refused(_) | ApiError::Unavailable(_) | ApiError::Unreadable(_)),
            ) => {
                tracing::warn!(lead_id, %error, "a lead is handed on without having been read");
                Ok(Sight::Unclear)
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// The entries of a page. PHP writes an empty object as an empty list, and a list with a gap as an object.
fn entries(page: &Value) -> Option<Vec<&Value>> {
    match &page["_embedded"]["events"] {
        Value::Array(events) => Some(events.iter().collect()),
        Value::Object(events) => Some(events.values().collect()),
        _ => page["_embedded"].as_array().filter(|none| none.is_empty()).map(|_| Vec::new()),
    }
}

/// Where the lead is that amoCRM answered with.
fn sight(lead_id: u64, lead: &Value) -> Sight {
    let id = |name: &str| number(&lead[name]);
    match (id("id"), id("pipeline_id").zip(id("status_id"))) {
        _ if lead["is_deleted"] == true => Sight::Absent,
        (Some(other), _) if other != lead_id => {
            tracing::warn!(lead_id, other, "amoCRM answered with another lead");
            Sight::Unclear
        }
        (_, Some(stage)) => Sight::In(stage),
        (_, None) => Sight::Unclear,
    }
}

fn query(window: &FeedWindow, page: u32, kinds: &[&str]) -> Vec<(String, String)> {
    let mut query = vec![
        ("limit".to_owned(), PAGE.to_string()),
        ("page".to_owned(), page.to_string()),
        ("filter[entity][]".to_owned(), "lead".to_owned()),
        ("filter[created_at][from]".to_owned(), window.from.as_second().to_string()),
        ("filter[created_at][to]".to_owned(), window.to.as_second().to_string()),
    ];
    query.extend(kinds.iter().map(|kind| ("filter[type][]".to_owned(), (*kind).to_owned())));
    query
}

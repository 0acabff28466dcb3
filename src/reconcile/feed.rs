//! amoCRM's events feed: what happened to leads, whether or not a webhook reported it.

use functions::ports::{self, FeedPage, FeedWindow, LeadEvent, LeadFeed};
use functions::webhook::Action;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use crate::amocrm::AmoCrmPort;

/// The kinds of events that can put a lead into a stage.
const KINDS: [(&str, Action); 3] = [
    ("lead_status_changed", Action::Status),
    ("lead_added", Action::Add),
    ("lead_restored", Action::Restore),
];

/// The most events that amoCRM gives on one page.
const PAGE: &str = "100";

/// amoCRM's feed, for reconciliation.
pub(crate) struct AmoCrmFeed(pub(super) AmoCrmPort);

#[derive(Deserialize)]
struct WirePage {
    #[serde(rename = "_links", default)]
    links: Links,
    #[serde(rename = "_embedded")]
    embedded: Embedded,
}

/// `next` is only asked whether it is there: no address is taken from an answer.
#[derive(Default, Deserialize)]
struct Links {
    next: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct Embedded {
    events: Vec<WireEvent>,
}

#[derive(Deserialize)]
struct WireEvent {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    entity_id: u64,
    entity_type: String,
    created_at: i64,
    account_id: Option<u64>,
    /// Its form depends on the kind; only `lead_status` is read.
    #[serde(default)]
    value_after: Value,
}

/// Where a lead is.
#[derive(Deserialize)]
struct WireLead {
    id: u64,
    pipeline_id: u64,
    status_id: u64,
    #[serde(default)]
    is_deleted: bool,
}

impl LeadFeed for AmoCrmFeed {
    async fn page(&self, window: &FeedWindow, page: u32) -> ports::Result<FeedPage> {
        let client = self.0.client()?;
        let read: Option<WirePage> = client.get("/api/v4/events", query(window, page)).await?;
        let Some(page) = read else { return Ok(FeedPage::default()) };
        let events = page.embedded.events.into_iter();
        let events = events.filter_map(|event| event.checked(window)).collect();
        Ok(FeedPage { events, more: page.links.next.is_some() })
    }

    async fn stage(&self, lead_id: u64) -> ports::Result<Option<(u64, u64)>> {
        let path = format!("/api/v4/leads/{lead_id}");
        let lead: Option<WireLead> = self.0.client()?.get(&path, Vec::new()).await?;
        let lead = lead.filter(|lead| lead.id == lead_id && !lead.is_deleted);
        Ok(lead.map(|lead| (lead.pipeline_id, lead.status_id)))
    }
}

fn query(window: &FeedWindow, page: u32) -> Vec<(String, String)> {
    let mut query = vec![
        ("limit".to_owned(), PAGE.to_owned()),
        ("page".to_owned(), page.to_string()),
        ("filter[entity][]".to_owned(), "lead".to_owned()),
        ("filter[created_at][from]".to_owned(), window.from.as_second().to_string()),
        ("filter[created_at][to]".to_owned(), window.to.as_second().to_string()),
    ];
    query.extend(KINDS.map(|(kind, _)| ("filter[type][]".to_owned(), kind.to_owned())));
    query
}

impl WireEvent {
    /// The event, provided that it is one that was asked for: amoCRM is known to ignore filters without an error.
    fn checked(self, window: &FeedWindow) -> Option<LeadEvent> {
        let (_, action) = KINDS.into_iter().find(|(kind, _)| *kind == self.kind)?;
        let within = window.from.as_second()..=window.to.as_second();
        if self.entity_type != "lead" || !within.contains(&self.created_at) {
            return None;
        }
        let status = &self.value_after[0]["lead_status"];
        Some(LeadEvent {
            id: self.id,
            action,
            lead_id: self.entity_id,
            account_id: self.account_id,
            at: Timestamp::from_second(self.created_at).ok()?,
            stage: status["pipeline_id"].as_u64().zip(status["id"].as_u64()),
        })
    }
}

//! amoCRM's events feed: what happened to leads, whether or not a webhook told of it.

use http::StatusCode;
use jiff::Timestamp;
use serde::Deserialize;

use crate::amocrm::answer::{self as api, ApiError};
use crate::amocrm::call::ApiCall;
use crate::amocrm::{AmoCrmClient, TokenStore};

/// The kinds of events that can put a lead into a stage.
pub const LEAD_EVENTS: [&str; 3] = ["lead_status_changed", "lead_added", "lead_restored"];

/// The most that amoCRM gives on one page.
const PAGE: &str = "100";

/// Which events to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeedQuery {
    /// Not before this time.
    pub from: Timestamp,
    /// Not after this time.
    pub to: Timestamp,
    /// The page, from 1.
    pub page: u32,
}

/// One page of the feed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventPage {
    /// The events on it that are about leads and within the window, whatever else amoCRM has sent.
    pub events: Vec<FeedEvent>,
    /// There is another page.
    pub more: bool,
}

/// Something that happened to a lead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedEvent {
    /// amoCRM's id of the event: the same however often it is read.
    pub id: String,
    /// What happened, one of [`LEAD_EVENTS`].
    pub kind: String,
    /// The lead.
    pub lead_id: u64,
    /// The account, where amoCRM says so.
    pub account_id: Option<u64>,
    /// When.
    pub at: Timestamp,
    /// The (pipeline, status) that the lead entered; only a change of status says so.
    pub stage: Option<(u64, u64)>,
}

#[derive(Deserialize)]
struct WirePage {
    #[serde(rename = "_links", default)]
    links: Links,
    #[serde(rename = "_embedded")]
    embedded: Embedded,
}

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
    /// Its form depends on the kind; only `lead_status` is looked for.
    #[serde(default)]
    value_after: serde_json::Value,
}

impl<S: TokenStore> AmoCrmClient<S> {
    /// One page of the feed. `links.next` is only asked whether it is there: no address is taken from an answer.
    pub async fn events(&self, query: &FeedQuery) -> Result<EventPage, ApiError> {
        let mut pairs = vec![
            ("limit".to_owned(), PAGE.to_owned()),
            ("page".to_owned(), query.page.to_string()),
            ("filter[entity][]".to_owned(), "lead".to_owned()),
            ("filter[created_at][from]".to_owned(), query.from.as_second().to_string()),
            ("filter[created_at][to]".to_owned(), query.to.as_second().to_string()),
        ];
        for kind in LEAD_EVENTS {
            pairs.push(("filter[type][]".to_owned(), kind.to_owned()));
        }
        let answer = self.send(&ApiCall::get("/api/v4/events").query(pairs)).await?;
        if answer.status == StatusCode::NO_CONTENT {
            return Ok(EventPage::default());
        }
        let page: WirePage = api::json(&answer)?;
        let events = page.embedded.events.into_iter().filter_map(|event| event.checked(query));
        Ok(EventPage { events: events.collect(), more: page.links.next.is_some() })
    }

    /// The (pipeline, status) that a lead is in now; `None` when there is no such lead to be seen.
    pub async fn stage(&self, lead_id: u64) -> Result<Option<(u64, u64)>, ApiError> {
        #[derive(Deserialize)]
        struct Place {
            id: u64,
            pipeline_id: u64,
            status_id: u64,
            #[serde(default)]
            is_deleted: bool,
        }
        let path = format!("/api/v4/leads/{lead_id}");
        let answer = self.send(&ApiCall::get(&path)).await?;
        if answer.status == StatusCode::NO_CONTENT {
            return Ok(None);
        }
        let place: Place = api::json(&answer)?;
        let usable = place.id == lead_id && !place.is_deleted;
        Ok(usable.then_some((place.pipeline_id, place.status_id)))
    }
}

impl WireEvent {
    /// amoCRM is known to skip filters without a word, so each event is looked at again.
    fn checked(self, query: &FeedQuery) -> Option<FeedEvent> {
        let at = Timestamp::from_second(self.created_at).ok()?;
        let asked_for = self.entity_type == "lead"
            && LEAD_EVENTS.contains(&self.kind.as_str())
            && (query.from.as_second()..=query.to.as_second()).contains(&self.created_at);
        let status = &self.value_after[0]["lead_status"];
        let stage = status["pipeline_id"].as_u64().zip(status["id"].as_u64());
        let Self { id, kind, entity_id: lead_id, account_id, .. } = self;
        asked_for.then_some(FeedEvent { id, kind, lead_id, account_id, at, stage })
    }
}

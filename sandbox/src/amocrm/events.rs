//! What amoCRM reports about its leads: by webhooks, and by the event feed, newest first, a hundred events on a page.
//!
//! The feed is no kinder than the real one: it may hold odd entries, a full page may not name the next one, and the
//! filter by stage leaves out every kind of event but changes of status.

use http::Uri;
use serde_json::{Value, json};

use super::STAGE;

/// The webhook that a digital pipeline sends for a lead that has moved: ids alone.
pub fn webhook_of(lead_id: u64) -> String {
    let (pipeline, status) = STAGE;
    let mut form = form_urlencoded::Serializer::new(String::new());
    for (name, value) in [
        ("id", lead_id),
        ("status_id", status),
        ("pipeline_id", pipeline),
        ("old_status_id", 77_186_754),
        ("old_pipeline_id", pipeline),
    ] {
        form.append_pair(&format!("leads[status][0][{name}]"), &value.to_string());
    }
    form.append_pair("account[id]", "32452514").append_pair("account[subdomain]", "oooprometei");
    form.finish()
}

/// What happened in the account.
#[derive(Debug)]
pub(super) struct Events {
    events: Vec<Value>,
    pub(super) ignores_filters: bool,
    /// A filter by stage is answered with HTTP 400.
    pub(super) refuses_stages: bool,
    /// No page names the next one.
    pub(super) hides_next: bool,
    /// What the ids of this account's events begin with: Inngest recognises what it has seen in another test.
    id_prefix: String,
}

impl Default for Events {
    fn default() -> Self {
        let mut ids = ulid::Generator::new();
        // Any moment but the epoch itself, after which the generator would count up from zero.
        let moment = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1);
        let random = ids.generate_from_datetime(moment);
        let id_prefix = random.map(|id| id.to_string().to_lowercase()).unwrap_or_default();
        Self {
            events: Vec::new(),
            ignores_filters: false,
            refuses_stages: false,
            hides_next: false,
            id_prefix,
        }
    }
}

const LONGEST_PAGE: usize = 100;

impl Events {
    pub(super) fn push(&mut self, kind: &str, lead_id: u64, at: i64, stage: Option<(u64, u64)>) {
        let value_after = stage.map_or_else(
            || json!([]),
            |(pipeline, status)| json!([{"lead_status": {"id": status, "pipeline_id": pipeline}}]),
        );
        let id = format!("{}{:06}", self.id_prefix, self.events.len() + 1);
        self.events.push(json!({
            "id": id, "type": kind, "entity_id": lead_id, "entity_type": "lead", "created_by": 0,
            "created_at": at, "value_after": value_after, "value_before": [], "account_id": 32_452_514,
        }));
    }

    /// An entry as it stands. One without a time is on every page of time.
    pub(super) fn push_entry(&mut self, entry: Value) {
        self.events.push(entry);
    }

    /// Whether `uri` asks for what this account refuses.
    pub(super) fn refuses(&self, uri: &Uri) -> bool {
        self.refuses_stages && !stages(&query(uri)).is_empty()
    }

    /// The page that `uri` asks for; `None` when there is nothing on it.
    pub(super) fn page(&self, uri: &Uri) -> Option<Value> {
        let query = query(uri);
        let all = |name: &str| -> Vec<&str> {
            let named = query.iter().filter(|(key, _)| key == name);
            named.map(|(_, value)| value.as_str()).collect()
        };
        let number = |name: &str| all(name).first().and_then(|text| text.parse::<i64>().ok());
        let kinds = all("filter[type][]");
        let stages = stages(&query);
        let fits = |event: &&Value| {
            let at = event["created_at"].as_i64();
            let from = number("filter[created_at][from]");
            let to = number("filter[created_at][to]");
            let within = |at| from.is_none_or(|from| from <= at) && to.is_none_or(|to| at <= to);
            let kind = event["type"].as_str().is_none_or(|kind| kinds.contains(&kind));
            let status = &event["value_after"][0]["lead_status"];
            let stage = (status["pipeline_id"].to_string(), status["id"].to_string());
            self.ignores_filters
                || (at.is_none_or(within)
                    && (kinds.is_empty() || kind)
                    && (stages.is_empty() || stages.contains(&stage)))
        };
        let mut events: Vec<&Value> = self.events.iter().filter(fits).collect();
        events.sort_by_key(|event| std::cmp::Reverse(event["created_at"].as_i64()));
        let limit = number("limit").and_then(|limit| usize::try_from(limit).ok());
        let limit = limit.unwrap_or(LONGEST_PAGE).clamp(1, LONGEST_PAGE);
        let page = number("page").and_then(|page| usize::try_from(page).ok()).unwrap_or(1).max(1);
        let rest = events.get((page - 1) * limit..).filter(|rest| !rest.is_empty())?;
        let mut links = json!({"self": {"href": uri.to_string()}});
        if rest.len() > limit && !self.hides_next {
            // Another host: an address in an answer must not be called.
            links["next"] = json!({"href": format!("https://evil.example/?page={}", page + 1)});
        }
        let events: Vec<&Value> = rest.iter().take(limit).copied().collect();
        Some(json!({"_page": page, "_links": links, "_embedded": {"events": events}}))
    }
}

fn query(uri: &Uri) -> Vec<(String, String)> {
    form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).into_owned().collect()
}

/// The (pipeline, status) pairs of `filter[value_after][leads_statuses][n][..]`, by their `n`.
fn stages(query: &[(String, String)]) -> Vec<(String, String)> {
    let value = |n: usize, id: &str| {
        let name = format!("filter[value_after][leads_statuses][{n}][{id}]");
        query.iter().find(|(key, _)| *key == name).map(|(_, value)| value.clone())
    };
    (0..).map_while(|n| value(n, "pipeline_id").zip(value(n, "status_id"))).collect()
}

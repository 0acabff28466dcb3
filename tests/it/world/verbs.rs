//! What happens in a world, and what is seen of it from outside.

use std::time::{Duration, Instant};

use inngest_dev_server::Observation;
use reqwest::header::{CONTENT_TYPE, LOCATION};
use sandbox::webhook_of;
use serde_json::{Value, json};
use tokio::time::timeout;
use url::Url;

use super::{DEADLINE, World, eventually};

/// An answer of the service.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) from_sdk: bool,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) async fn to(request: reqwest::RequestBuilder) -> Self {
        let answer = request.send().await.unwrap();
        let from_sdk = answer.headers().contains_key("x-inngest-sdk");
        Self { status: answer.status().as_u16(), from_sdk, text: answer.text().await.unwrap() }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }
}

const BETWEEN_LOOK_UPS: Duration = Duration::from_millis(300);

/// A run that has ended, as the official API reports it.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) status: String,
    pub(crate) output: Value,
}

impl<S> World<S> {
    /// A lead moves in amoCRM.
    pub(crate) async fn webhook(&self, lead: u64) {
        let answer = self.post_webhook("/api/amocrm-webhook", webhook_of(lead)).await;
        assert_eq!(answer, (200, json!({ "accepted": 1 })));
    }

    /// Posts a webhook as amoCRM does, with the right secret.
    pub(crate) async fn post_webhook(&self, path: &str, body: impl Into<String>) -> (u16, Value) {
        let request = self.http.post(self.webhook_url(path)).body(body.into());
        let form = "application/x-www-form-urlencoded; charset=UTF-8";
        let answer = Self::as_amocrm(request.header(CONTENT_TYPE, form)).await;
        (answer.status, answer.json())
    }

    /// Sends a webhook as amoCRM does: again where it was not stored, as on a machine under load.
    pub(crate) async fn as_amocrm(webhook: reqwest::RequestBuilder) -> Answer {
        eventually("the webhook is stored or refused", async || {
            let answer = Answer::to(webhook.try_clone().unwrap()).await;
            (answer.status != 503).then_some(answer)
        })
        .await
    }

    /// A request to the public listener, to be sent with [`World::answer_to`].
    pub(crate) fn request(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url))
    }

    /// A page of the service. A redirect is not followed.
    pub(crate) async fn page(&self, path: &str) -> Answer {
        Answer::to(self.http.get(format!("{}{path}", self.url))).await
    }

    /// A page for operators.
    pub(crate) async fn admin_page(&self, path: &str) -> Answer {
        Answer::to(self.admin_request(reqwest::Method::GET, path)).await
    }

    /// A request to the admin listener.
    pub(crate) fn admin_request(
        &self,
        method: reqwest::Method,
        path: &str,
    ) -> reqwest::RequestBuilder {
        self.http.request(method, format!("http://{}{path}", self.replicas[0].admin))
    }

    /// A number of the service's metrics.
    pub(crate) async fn metric(&self, name: &str) -> Option<i64> {
        let metrics = self.admin_page("/metrics").await.text;
        let mut lines = metrics.lines().filter_map(|line| line.strip_prefix("prometei_flow_"));
        let value: f64 =
            lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())?;
        Some(value as i64)
    }

    /// How many deals the metrics show in a state, whatever they wait for.
    pub(crate) async fn deals_in(&self, state: &str) -> Option<i64> {
        let metrics = self.admin_page("/metrics").await.text;
        let of_state = format!("prometei_flow_deals{{state=\"{state}\",");
        let lines = metrics.lines().filter(|line| line.starts_with(&of_state));
        let counts = lines.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok());
        counts.map(|count| count as i64).reduce(|sum, count| sum + count)
    }

    /// How many leads Inngest does not have yet.
    pub(crate) async fn waiting(&self) -> i64 {
        self.metric("inbox_waiting").await.unwrap()
    }

    /// What `prometei-flow deals` lists.
    pub(crate) async fn deals(&self) -> Vec<Value> {
        let said = self.command(&["deals", "--json"]).await;
        let mut report: Value =
            serde_json::from_str(&said.out).unwrap_or_else(|_| panic!("{said:?}"));
        serde_json::from_value(report["items"].take()).unwrap()
    }

    /// The names and amounts of the ERP's records, once there are `count`.
    pub(crate) async fn records(&self, count: usize) -> Vec<(Value, Value)> {
        let rows = eventually("the records arrive", async || {
            let rows = self.erp.rows();
            (rows.len() >= count).then_some(rows)
        });
        let field = |row: &sandbox::ErpRow, name| row.fields.get(name).cloned().unwrap_or_default();
        let rows = rows.await.into_iter();
        rows.map(|row| (field(&row, "field_1039"), field(&row, "field_1040"))).collect()
    }

    /// Sends an event as another app would, and returns the run that it starts, once that has ended.
    pub(crate) async fn run_of(&self, event: &str, data: Value) -> Run {
        let event = json!({ "name": event, "data": data });
        let url = format!("{}/e/test", self.inngest_url);
        let sent = Answer::to(self.http.post(url).body(event.to_string())).await;
        assert_eq!(sent.status, 200, "{}", sent.text);
        let event_id = sent.json()["ids"][0].as_str().unwrap().to_owned();
        let asked = Instant::now();
        let run_id = eventually("a run starts", async || {
            let runs = self.look_up(&format!("events/{event_id}/runs"), asked).await;
            let runs = runs.as_array().filter(|runs| !runs.is_empty()).cloned()?;
            assert_eq!(runs.len(), 1, "{runs:?}");
            runs[0]["run_id"].as_str().map(str::to_owned)
        })
        .await;
        eventually("the run ends", async || {
            let run = self.look_up(&format!("runs/{run_id}"), asked).await;
            let ended = run["ended_at"].as_str().is_some_and(|ended| !ended.is_empty());
            let status = run["status"].as_str()?.to_owned();
            ended.then(|| Run { status, output: run["output"].clone() })
        })
        .await
    }

    /// Waits until Inngest tries the run that began last no more, nor the handler of its failure.
    pub(crate) async fn run_is_given_up(&mut self) {
        if self._turn.is_none() {
            let ended = async {
                while let Ok(observed) = self.observations.recv().await {
                    if matches!(observed, Observation::RunFailed { function_id, .. } if function_id.ends_with("-failure"))
                    {
                        return;
                    }
                }
            };
            return timeout(DEADLINE, ended).await.unwrap();
        }
        let query = "{ runs(first: 1, orderBy: [{field: QUEUED_AT, direction: DESC}], filter: {from: \"2026-01-01T00:00:00Z\"}) \
                     { edges { node { status function { slug } } } } }";
        let url = format!("{}/v0/gql", self.inngest_url);
        eventually("the run is given up", async || {
            let asked = self.http.post(&url).header(CONTENT_TYPE, "application/json");
            let asked = asked.body(json!({ "query": query }).to_string());
            let last = Answer::to(asked).await.json()["data"]["runs"]["edges"][0]["node"].take();
            let of_handler = last["function"]["slug"].as_str()?.ends_with("-failure");
            (of_handler && last["status"] == "FAILED").then_some(())
        })
        .await;
    }

    /// A person gives consent in a browser.
    pub(crate) async fn consent(&self) {
        let location = async |url: String| {
            let answer = self.http.get(url).send().await.unwrap();
            let location = answer.headers().get(LOCATION).unwrap();
            location.to_str().unwrap().to_owned()
        };
        let account = location(format!("{}/oauth/start", self.url)).await;
        let back: Url = location(account).await.parse().unwrap();
        let callback = format!("{}?{}", back.path(), back.query().unwrap());
        let said = self.page(&callback).await;
        assert_eq!(said.status, 200, "{}", said.text);
    }

    /// Looks at Inngest's REST API. The real server caches answers by URL, so each has a URL of its own.
    async fn look_up(&self, path: &str, asked: Instant) -> Value {
        if self._turn.is_some() {
            // The official dev server loses the note that a run has ended when it is being asked at that moment ("database
            // table is locked: function_finishes"), so it is asked less often.
            tokio::time::sleep(BETWEEN_LOOK_UPS).await;
        }
        let nonce = asked.elapsed().as_nanos();
        let url = format!("{}/v1/{path}?nonce={nonce}", self.inngest_url);
        Answer::to(self.http.get(url)).await.json()["data"].take()
    }

    /// How often Inngest has called the service since it was asked last; unknown of the official one.
    pub(crate) fn calls(&mut self) -> Option<usize> {
        let mut calls = 0;
        while let Ok(observation) = self.observations.try_recv() {
            // What happens after a run has failed is no call of the run.
            calls += usize::from(matches!(
                observation,
                Observation::CallMade { function_id, .. } if !function_id.ends_with("-failure")
            ));
        }
        let embedded = self.inngest.url().as_str().trim_end_matches('/');
        (self.inngest_url == embedded).then_some(calls)
    }
}

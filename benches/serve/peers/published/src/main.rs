//! The same two functions on the published Rust SDK.

use std::fmt;
use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use inngest::client::Inngest;
use inngest::function::{FunctionOpts, Input, ServableFn, Trigger};
use inngest::handler::Handler;
use inngest::result::{DevError, Error};
use inngest::serve;
use inngest::step_tool::Step;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    lead_id: Option<u64>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Failed(String);

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Failed {}

impl From<Failed> for Error {
    fn from(failed: Failed) -> Self {
        Error::Dev(DevError::Basic(failed.0))
    }
}

async fn unsaved<T>() -> Result<T, Failed> {
    Err(Failed("every step of this function comes with its result".to_owned()))
}

#[derive(Serialize, Deserialize)]
struct Lead {
    id: u64,
    name: String,
    price: u64,
}

#[derive(Serialize, Deserialize)]
struct Task {
    reply: Value,
}

fn webhook(client: &Inngest) -> ServableFn<Data, Error> {
    let trigger = Trigger::event("amocrm/webhook");
    let options = FunctionOpts::new("amocrm-webhook");
    client.create_function(options, trigger, |input: Input<Data>, step: Step| async move {
        let lead: Lead = step.run("fetch-lead-data", unsaved).await?;
        let task: Task = step.run("create-erp-task", unsaved).await?;
        let success = Some(lead.id) == input.event.data.lead_id;
        Ok(json!({ "success": success, "lead": lead, "reply": task.reply }))
    })
}

fn create_deal(client: &Inngest, upstream: String) -> ServableFn<Data, Error> {
    let (trigger, http) = (Trigger::event("crm/create-deal"), reqwest::Client::new());
    let options = FunctionOpts::new("create-crm-deal");
    client.create_function(options, trigger, move |_: Input<Data>, step: Step| {
        let (http, upstream) = (http.clone(), upstream.clone());
        async move {
            step.run("create-erp-task", || async move {
                let reply = http.post(upstream).body(r#"{"action":"insert"}"#).send().await;
                let reply = reply.map_err(|error| Failed(error.to_string()))?;
                let reply = reply.text().await.map_err(|error| Failed(error.to_string()))?;
                serde_json::from_str::<Value>(&reply).map_err(|error| Failed(error.to_string()))
            })
            .await
        }
    })
}

#[tokio::main]
async fn main() {
    let variable = |name: &str| std::env::var(name).unwrap_or_default();
    let client = Inngest::new("prometei-flow");
    let mut handler = Handler::new(&client);
    handler.register_fns(vec![webhook(&client), create_deal(&client, variable("UPSTREAM"))]);
    let endpoint = get(serve::axum::introspect).post(serve::axum::invoke);
    // As in its example, but for the limit on bodies: axum's own is lower than what the server sends.
    let endpoint = endpoint.layer(axum::extract::DefaultBodyLimit::max(16 * 1024 * 1024));
    let router = Router::new().route("/api/inngest", endpoint).with_state(Arc::new(handler));
    let address = format!("127.0.0.1:{}", variable("PORT")).parse().unwrap();
    axum::Server::bind(&address).serve(router.into_make_service()).await.unwrap();
}

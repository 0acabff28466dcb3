//! The SDK alone: two functions, each of a few lines, served by axum.

use std::net::SocketAddr;

use inngest::{
    App, Client, Config, Context, Event, EventData, Function, ReqwestTransport, Result, Settings,
    Step,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Webhook {
    lead_id: u64,
}

impl EventData for Webhook {
    const NAME: &'static str = "amocrm/webhook";
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

#[derive(Serialize)]
struct Done {
    success: bool,
    lead: Lead,
    reply: Value,
}

async fn webhook(event: Event<Webhook>, step: Step<'_>) -> Result<Done> {
    let lead: Lead = step.run("fetch-lead-data", async || unsaved()).await?;
    let task: Task = step.run("create-erp-task", async || unsaved()).await?;
    Ok(Done { success: lead.id == event.data.lead_id, lead, reply: task.reply })
}

fn unsaved<T>() -> Result<T> {
    Err("every step of this function comes with its result".into())
}

struct CreateDeal {
    client: reqwest::Client,
    upstream: String,
}

impl Function for CreateDeal {
    type Event = ();
    type Output = Value;
    type OnFailure = ();

    fn config() -> Config {
        Config::id("create-crm-deal").event("crm/create-deal")
    }

    async fn run(&self, cx: Context<'_, Self>) -> Result<Value> {
        let created: Value = cx
            .step
            .run("create-erp-task", async || {
                let body = r#"{"action":"insert"}"#;
                let reply = self.client.post(&self.upstream).body(body).send().await?;
                Ok(serde_json::from_slice(&reply.bytes().await?)?)
            })
            .await?;
        Ok(created)
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let variable = |name: &str| std::env::var_os(name).and_then(|value| value.into_string().ok());
    let settings = Settings::from_env()?;
    let client = Client::new(settings, ReqwestTransport::with_deadlines()?);
    let deal = CreateDeal {
        client: reqwest::Client::builder().build()?,
        upstream: variable("UPSTREAM").unwrap_or_default(),
    };
    let app = App::new("prometei-flow", client)
        .function(Config::id("amocrm-webhook").run(webhook))
        .function(deal);
    let port = variable("PORT").unwrap_or_default().parse()?;
    Ok(app.serve(SocketAddr::from(([127, 0, 0, 1], port))).await?)
}

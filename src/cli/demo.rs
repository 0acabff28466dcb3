use std::collections::HashSet;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use functions::CreateDeal;
use inngest::NewEvent;
use inngest::signing::SigningKey;
use inngest_dev_server::{DevServer, Observation};
use serde_json::{Value, json};
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

use super::world::{self, LEAD_NAME, LEAD_PRICE, WEBHOOK};
use super::{serve, watch};
use crate::app::Listeners;
use crate::clock::{SharedClock, SystemClock};
use crate::config::Config;
use crate::logging::{self, LogSettings};
use crate::outbound::{self, Limits, Outbound, inngest_client};
use sandbox::{ErpFailure, ErpRow, FakeErp};

/// The whole demo takes about a second; this is for a machine that does other things.
const LIMIT: Duration = Duration::from_secs(30);

// Not secrets: they sign what never leaves this machine, between parts of this process.
const SIGNING_KEY: &str = "signkey-demo-70726f6d657465692d666c6f772064656d6f206b6579";
const EVENT_KEY: &str = "demo-event-key";
const WEBHOOK_SECRET: &str = "demo-webhook-secret";

/// The functions that the demo's two deals run.
const DEALS: [&str; 2] = ["prometei-flow-amocrm-webhook", "prometei-flow-create-crm-deal"];

#[derive(Debug, Args)]
pub(super) struct Demo {
    /// Makes the fake ERP refuse every record, to see what a failure looks like
    #[arg(long)]
    erp_refuses: bool,
}

impl Demo {
    pub(super) async fn run(self, out: &mut impl Write) -> anyhow::Result<()> {
        logging::start(&LogSettings { format: None, filter: "error".to_owned() });
        let stop = CancellationToken::new();
        let played = tokio::time::timeout(LIMIT, self.play(out, &stop)).await;
        stop.cancel();
        let arrived =
            played.with_context(|| format!("the demo did not finish within {LIMIT:?}"))??;
        writeln!(out, "\n{arrived} deals, {arrived} records: each arrived exactly once.")?;
        Ok(())
    }

    async fn play(&self, out: &mut impl Write, stop: &CancellationToken) -> anyhow::Result<usize> {
        let amocrm = world::fake_amocrm(stop).await?;
        let erp = world::fake_erp(stop).await?;
        if self.erp_refuses {
            let message = "field_1039 not exist in entity 70".to_owned();
            erp.fail_next(100, ErpFailure::Error { code: "500".to_owned(), message });
        }
        let listeners =
            Listeners { public: world::free_port().await?, admin: world::free_port().await? };
        let service = format!("http://{}", listeners.public.local_addr()?);
        let inngest = DevServer::builder()
            .app(format!("{service}/api/inngest").parse()?)
            .signing_key(SigningKey::new(SIGNING_KEY))
            .event_key(EVENT_KEY)
            .retry_interval(Duration::from_millis(500))
            .serve(world::free_port().await?, stop.clone())?;
        let mut observations = inngest.subscribe();

        let folder = tempfile::tempdir().context("no temporary folder for the database")?;
        let mut variables = vec![
            ("INNGEST_BASE_URL", inngest.url().as_str().trim_end_matches('/').to_owned()),
            ("INNGEST_SIGNING_KEY", SIGNING_KEY.to_owned()),
            ("INNGEST_EVENT_KEY", EVENT_KEY.to_owned()),
            ("AMOCRM_WEBHOOK_SECRET", WEBHOOK_SECRET.to_owned()),
            ("DATABASE_URL", format!("sqlite://{}", folder.path().join("demo.db").display())),
        ];
        variables.extend(world::amocrm_variables(&amocrm));
        variables.extend(world::erp_variables(&erp));
        let config = Config::load(&world::env_map(&variables))?;
        let settings = config.inngest.clone();
        let (_, running) = serve::spawn(config, listeners, stop.clone()).await?;

        writeln!(
            out,
            "A real prometei-flow at {service}, signed; around it, on this machine only:"
        )?;
        writeln!(out, "  a fake amoCRM at {}", amocrm.url())?;
        writeln!(out, "  a fake ERP at {}", erp.url())?;
        writeln!(out, "  an Inngest-compatible dev server at {}\n", inngest.url())?;
        inngest.sync_now().await.context("the service could not register its functions")?;

        post_webhook(&service).await?;
        let deal = CreateDeal {
            deal_name: Some("Новая сделка".to_owned()),
            amount: Some(15_000.into()),
            entity_id: Some(70),
        };
        let clock: SharedClock = Arc::new(SystemClock);
        let client = inngest_client(settings, Outbound::new(), &clock);
        client.send(&[NewEvent::new(&deal)?]).await?;

        let failed = follow(&mut observations, out).await?;
        stop.cancel();
        running.await.context("the service crashed")??;
        inngest.shutdown().await;

        print_rows(&erp.rows(), out)?;
        ensure!(failed.is_empty(), "{}", failed.join("\n"));
        check(&erp)
    }
}

async fn post_webhook(service: &str) -> anyhow::Result<()> {
    let url = format!("{service}/api/inngest?secret={WEBHOOK_SECRET}").parse()?;
    let request = Outbound::new().request(http::Method::POST, url)?;
    let form = "application/x-www-form-urlencoded";
    let request = request.header(http::header::CONTENT_TYPE, form).body(WEBHOOK);
    let limits = Limits { timeout: Duration::from_secs(5), body: 1024 };
    let answer = outbound::send(request, limits).await?;
    ensure!(answer.status == 200, "the webhook was answered {}", answer.status);
    Ok(())
}

/// Prints what happens until both functions have ended, and the failure handler of each that failed; returns why.
///
/// Runs are told apart by their function: a failure handler's run may end before the other function's.
async fn follow(
    observations: &mut broadcast::Receiver<Observation>,
    out: &mut impl Write,
) -> anyhow::Result<Vec<String>> {
    let mut awaited = HashSet::from(DEALS.map(str::to_owned));
    let mut failed = Vec::new();
    while !awaited.is_empty() {
        let observation = observations.recv().await.context("what happened cannot be followed")?;
        if let Some(line) = watch::line(&observation) {
            writeln!(out, "{line}")?;
        }
        match observation {
            Observation::RunCompleted { function_id, .. } => {
                awaited.remove(&function_id);
            }
            Observation::RunFailed { function_id, output, .. } => {
                awaited.remove(&function_id);
                if DEALS.contains(&function_id.as_str()) {
                    awaited.insert(format!("{function_id}-failure"));
                }
                failed.push(format!("{function_id} failed: {}", watch::message(&output)));
            }
            _ => {}
        }
    }
    Ok(failed)
}

fn print_rows(rows: &[ErpRow], out: &mut impl Write) -> std::io::Result<()> {
    writeln!(out, "\nRecords in the ERP's entity 70:")?;
    for row in rows {
        let field = |name: &str| row.fields.get(name).cloned().unwrap_or(Value::Null);
        writeln!(
            out,
            "  id {}  name {}  amount {}",
            row.id,
            field("field_1039"),
            field("field_1040")
        )?;
    }
    if rows.is_empty() {
        writeln!(out, "  none")?;
    }
    Ok(())
}

/// Each deal has one record, with its name and amount.
fn check(erp: &FakeErp) -> anyhow::Result<usize> {
    let expected = [(json!(LEAD_NAME), json!(LEAD_PRICE)), (json!("Новая сделка"), json!(15_000))];
    let rows = erp.rows();
    for (name, amount) in &expected {
        let fits = |row: &&ErpRow| {
            row.fields.get("field_1039") == Some(name)
                && row.fields.get("field_1040") == Some(amount)
        };
        match rows.iter().filter(fits).count() {
            1 => {}
            n => bail!("{n} records instead of one for the deal {name}"),
        }
    }
    ensure!(rows.len() == expected.len(), "{} records for {} deals", rows.len(), expected.len());
    Ok(rows.len())
}

#[cfg(test)]
mod tests {
    use inngest_dev_server::Observation;
    use serde_json::json;
    use tokio::sync::broadcast;

    use super::{DEALS, follow};

    fn completed(function_id: &str) -> Observation {
        let (run_id, function_id) = ("01".to_owned(), function_id.to_owned());
        Observation::RunCompleted { run_id, function_id, output: json!(null) }
    }

    fn failed(function_id: &str) -> Observation {
        let (run_id, function_id) = ("01".to_owned(), function_id.to_owned());
        Observation::RunFailed { run_id, function_id, output: json!({ "message": "refused" }) }
    }

    #[tokio::test]
    async fn a_failure_handler_that_ends_first_does_not_stand_for_the_other_deal() {
        let [webhook, create] = DEALS;
        let (sender, mut observations) = broadcast::channel(16);
        for observation in [
            failed(create),
            completed(&format!("{create}-failure")),
            failed(webhook),
            completed(&format!("{webhook}-failure")),
        ] {
            sender.send(observation).unwrap();
        }
        let mut out = Vec::new();
        let reasons = follow(&mut observations, &mut out).await.unwrap();
        assert_eq!(reasons.len(), 2, "{reasons:?}");
        assert!(observations.is_empty(), "the handlers are waited for, too");
    }
}

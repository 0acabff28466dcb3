use std::collections::{BTreeMap, HashSet};
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use functions::CreateDeal;
use inngest::{NewEvent, Settings};
use inngest_dev_server::Observation;
use sandbox::{ErpFailure, ErpRow, FakeErp, World};
use serde_json::{Value, json};
use tokio::sync::broadcast;
use url::Url;

use super::watch;
use super::world::{self, LEAD_ID, LEAD_NAME, LEAD_PRICE};
use crate::clock::{SharedClock, SystemClock};
use crate::logging::{self, LogSettings};
use crate::outbound::{self, Limits, Outbound, inngest_client};

/// The whole demo takes about a second; this is for a machine that does other things.
const LIMIT: Duration = Duration::from_secs(30);

/// The functions that the demo's two deals run.
const DEALS: [&str; 2] = ["prometei-flow-amocrm-webhook", "prometei-flow-create-crm-deal"];

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  prometei-flow demo
  prometei-flow demo --erp-refuses

It reads no variable and no file, and leaves nothing behind.")]
pub(super) struct Demo {
    /// Makes the fake ERP refuse every record, to see what a failure looks like
    #[arg(long)]
    erp_refuses: bool,
}

impl Demo {
    pub(super) async fn run(self, out: &mut impl Write) -> anyhow::Result<()> {
        logging::start(&LogSettings { format: None, filter: "error".to_owned() });
        let played = tokio::time::timeout(LIMIT, self.play(out)).await;
        let arrived =
            played.with_context(|| format!("the demo did not finish within {LIMIT:?}"))??;
        writeln!(out, "\n{arrived} deals, {arrived} records: each arrived exactly once.")?;
        Ok(())
    }

    async fn play(&self, out: &mut impl Write) -> anyhow::Result<usize> {
        let mut world = World::new()
            .signed()
            .lead(LEAD_ID, LEAD_NAME, LEAD_PRICE)
            .inngest(|server| server.retry_interval(Duration::from_millis(500)))
            .start(world::start)
            .await?;
        if self.erp_refuses {
            let message = "field_1039 not exist in entity 70".to_owned();
            world.erp.fail_next(100, ErpFailure::Error { code: "500".to_owned(), message });
        }

        writeln!(
            out,
            "A real prometei-flow at {}, signed; around it, on this machine only:",
            world.url
        )?;
        writeln!(out, "  a fake amoCRM at {}", world.amocrm.url())?;
        writeln!(out, "  a fake ERP at {}", world.erp.url())?;
        writeln!(out, "  an Inngest-compatible dev server at {}\n", world.inngest.url())?;
        world.registered().await?;

        post_webhook(world.webhook_url("/api/inngest")).await?;
        let deal = CreateDeal {
            deal_name: Some("Новая сделка".to_owned()),
            amount: Some(15_000.into()),
            entity_id: Some(70),
            fields: BTreeMap::new(),
            first_run_id: None,
        };
        let settings = Settings::from_lookup(|name| world.variables.get(name).cloned())?;
        let clock: SharedClock = Arc::new(SystemClock);
        let client = inngest_client(settings, Outbound::new(), &clock);
        client.send(&[NewEvent::new(&deal)?]).await?;

        let failed = follow(&mut world.observations, out).await?;
        world.stop.cancel();
        for replica in world.replicas {
            replica.service.await.context("the service crashed")??;
        }
        world.inngest.shutdown().await;

        print_rows(&world.erp.rows(), out)?;
        ensure!(failed.is_empty(), "{}", failed.join("\n"));
        check(&world.erp)
    }
}

/// As amoCRM does, which sends a webhook again that was not stored in time.
async fn post_webhook(url: String) -> anyhow::Result<()> {
    let (outbound, url) = (Outbound::new(), Url::parse(&url)?);
    let form = "application/x-www-form-urlencoded";
    let limits = Limits { timeout: Duration::from_secs(5), body: 1024 };
    let mut pause = tokio::time::interval(Duration::from_millis(200));
    loop {
        pause.tick().await;
        let request = outbound.request(http::Method::POST, url.clone())?;
        let request =
            request.header(http::header::CONTENT_TYPE, form).body(sandbox::webhook_of(LEAD_ID));
        match outbound::send(request, limits).await?.status {
            http::StatusCode::OK => return Ok(()),
            http::StatusCode::SERVICE_UNAVAILABLE => {}
            status => bail!("the webhook was answered {status}"),
        }
    }
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

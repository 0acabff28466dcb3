use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use inngest::{
    App, Client, Config, Event, Result, Settings, Step, Transport, TransportError, TransportFuture,
};
use serde_json::{Value, json};
use tracing::Instrument as _;
use tracing_subscriber::layer::SubscriberExt as _;

struct Nowhere;

impl Transport for Nowhere {
    fn send(&self, _: http::Request<Bytes>) -> TransportFuture<'_> {
        Box::pin(async { Err(TransportError::new("there is no server")) })
    }
}

#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

async fn deal(_: Event<()>, step: Step<'_>) -> Result<()> {
    of_lead(step).instrument(tracing::info_span!("lead", lead = 7)).await
}

async fn of_lead(step: Step<'_>) -> Result<()> {
    Ok(step
        .run("create", async || {
            let work = async { tracing::info!("sent") };
            tokio::spawn(work.in_current_span()).await?;
            Ok(())
        })
        .await?)
}

#[tokio::test]
async fn a_line_of_a_run_names_function_run_step_and_lead() {
    let kept = Kept::default();
    let sink = kept.clone();
    let subscriber = tracing_subscriber::registry().with(super::json(move || sink.clone()));
    let _guard = tracing::subscriber::set_default(subscriber);
    let function = Config::id("deal").event("crm/deal").run(deal);
    let app = App::new("app", Client::new(Settings::dev(), Nowhere)).function(function);
    let body = json!({
        "ctx": { "run_id": "01RUN", "attempt": 2, "disable_immediate_execution": false },
        "event": { "name": "crm/deal", "data": {} },
    });
    let request = http::Request::post("/api/inngest?fnId=app-deal&stepId=step");
    let request = request.body(Bytes::from(body.to_string())).unwrap();
    assert_eq!(app.build().unwrap().handle(request).await.status(), 206);
    let text = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
    let line = text.lines().find(|line| line.contains("sent")).unwrap();
    let line: Value = serde_json::from_str(line).unwrap();
    let said = json!({
        "level": "INFO", "target": line["target"], "timestamp": line["timestamp"], "message": "sent",
        "function": "deal", "run_id": "01RUN", "step": "create", "attempt": 2, "lead": 7,
    });
    assert_eq!(line, said);
}

//! The ERP client against an ERP with all its quirks.

mod answers;
mod marker;
mod requests;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use functions::ports::{Created, Deal, DealKey, Erp as _};
use prometei_flow::clock::SystemClock;
use prometei_flow::erp::{Body, ErpClient, ErpSettings};
use prometei_flow::outbound::Outbound;
use sandbox::{FakeErp, FakeErpSettings};
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use url::Url;

/// An ERP and a client of it.
struct Bench {
    erp: FakeErp,
    settings: ErpSettings,
    _stop: DropGuard,
}

impl Bench {
    async fn new() -> Self {
        Self::of(FakeErpSettings::default()).await
    }

    async fn of(settings: FakeErpSettings) -> Self {
        let stop = CancellationToken::new();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let erp = FakeErp::start(listener, stop.clone(), settings).unwrap();
        let settings = settings_for(erp.url().clone());
        Self { erp, settings, _stop: stop.drop_guard() }
    }

    /// An ERP that keeps the marker field unique.
    async fn unique() -> Self {
        let unique_field = Some("field_1041".to_owned());
        Self::of(FakeErpSettings { unique_field, ..FakeErpSettings::default() }).await.with(marked)
    }

    fn with(mut self, change: impl FnOnce(&mut ErpSettings)) -> Self {
        change(&mut self.settings);
        self
    }

    fn client(&self) -> ErpClient {
        ErpClient::new(self.settings.clone(), Outbound::new(), Arc::new(SystemClock))
    }

    async fn create(&self, deal: &Deal) -> functions::ports::Result<Created> {
        self.client().create(deal).await
    }

    fn last_body(&self) -> String {
        self.erp.requests().last().unwrap().text()
    }
}

fn settings_for(api_url: Url) -> ErpSettings {
    let fake = FakeErpSettings::default();
    ErpSettings {
        api_url,
        key: fake.key.into(),
        username: fake.username,
        password: fake.password.into(),
        body: Body::Json,
        entity_id: 70,
        field_deal_name: "field_1039".to_owned(),
        field_amount: "field_1040".to_owned(),
        field_external_id: None,
        timeout: Duration::from_secs(5),
    }
}

fn marked(settings: &mut ErpSettings) {
    settings.field_external_id = Some("field_1041".to_owned());
}

fn impatient(settings: &mut ErpSettings) {
    settings.timeout = Duration::from_millis(500);
}

fn run_deal() -> Deal {
    Deal {
        key: DealKey::Run("01JRUN".to_owned()),
        run_id: "01JRUN".to_owned(),
        name: "Поставка окон".to_owned(),
        amount: Some(15_000.into()),
        entity_id: None,
    }
}

fn lead_deal(lead_id: u64) -> Deal {
    Deal { key: DealKey::Lead { account_id: None, lead_id }, ..run_deal() }
}

fn reply(id: &str) -> serde_json::Value {
    json!({"status": "success", "data": {"id": id}})
}

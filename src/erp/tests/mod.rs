//! The ERP client against an ERP with all its quirks.

mod connections;
mod marker;
mod probes;
mod requests;
mod response;
mod texts;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use functions::ports::{Deal, DealKey};
use sandbox::{FakeErp, FakeErpSettings};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use url::Url;

use super::{Body, ErpClient, ErpError, ErpSettings, Insertion, SendBy};
use crate::clock::SystemClock;
use crate::outbound::Outbound;

/// An ERP, and how a client finds it.
pub(crate) struct Bench {
    pub(crate) erp: FakeErp,
    pub(crate) settings: ErpSettings,
    pub(crate) stop: DropGuard,
}

impl Bench {
    /// An ERP that takes any number of records of a lead.
    pub(crate) async fn new() -> Self {
        Self::of(FakeErpSettings::default()).await
    }

    pub(crate) async fn of(settings: FakeErpSettings) -> Self {
        let stop = CancellationToken::new();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let erp = FakeErp::start(listener, stop.clone(), settings).unwrap();
        let settings = settings_for(erp.url().clone());
        Self { erp, settings, stop: stop.drop_guard() }
    }

    /// An ERP that keeps the marker field unique.
    async fn unique() -> Self {
        Self::of(FakeErpSettings::default().with_unique_marker()).await.with(marked)
    }

    pub(crate) fn with(mut self, change: impl FnOnce(&mut ErpSettings)) -> Self {
        change(&mut self.settings);
        self
    }

    fn client(&self) -> ErpClient {
        ErpClient::new(self.settings.clone(), Outbound::new(), Arc::new(SystemClock))
    }

    /// The id of the record that an insert made.
    async fn insert(&self, deal: &Deal) -> String {
        match self.client().insert(deal, in_time()).await {
            Ok(Insertion::Created { id, .. }) => id,
            other => panic!("no record: {other:?}"),
        }
    }

    /// The id of the record that makes the ERP refuse a second one.
    async fn existing(&self, deal: &Deal) -> Result<String, ErpError> {
        let client = self.client();
        match client.insert(deal, in_time()).await {
            Ok(Insertion::AlreadyExists { fields }) => client.existing(deal, &fields).await,
            other => panic!("not refused: {other:?}"),
        }
    }

    fn last_body(&self) -> String {
        self.erp.requests().last().unwrap().text()
    }
}

pub(crate) fn settings_for(api_url: Url) -> ErpSettings {
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
        created_by: None,
        text_fields: BTreeSet::new(),
        user_fields: BTreeSet::new(),
        timeout: Duration::from_secs(5),
    }
}

pub(crate) fn marked(settings: &mut ErpSettings) {
    settings.field_external_id = Some("field_1041".to_owned());
}

/// Early enough for any test.
pub(crate) fn in_time() -> SendBy {
    SendBy::new(Arc::new(SystemClock), Duration::MAX)
}

/// An ERP that hangs is not waited for longer than an answer takes on a machine under load.
fn impatient(settings: &mut ErpSettings) {
    settings.timeout = Duration::from_secs(2);
}

pub(crate) fn run_deal() -> Deal {
    Deal {
        key: DealKey::Run("01JRUN".to_owned()),
        run_id: "01JRUN".to_owned(),
        name: "Поставка окон".to_owned(),
        amount: Some(15_000.into()),
        entity_id: None,
        fields: BTreeMap::new(),
        reports: 0,
    }
}

pub(crate) fn lead_deal(lead_id: u64) -> Deal {
    let delivery_id = "01JEVENT".to_owned();
    Deal { key: DealKey::Lead { account_id: None, lead_id, delivery_id }, ..run_deal() }
}

fn reply(id: &str) -> Value {
    json!({"status": "success", "data": {"id": id}})
}

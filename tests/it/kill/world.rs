//! Fakes and an Inngest that live on while the service is killed.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex as StdMutex};
use std::time::{Duration, Instant};

use inngest_dev_server::{DevServer, Observation};
use prometei_flow::clock::SystemClock;
use prometei_flow::db::Db;
use prometei_flow::inbox::Inbox;
use sandbox::{FakeAmoCrm, FakeAmoCrmSettings, FakeErp, FakeErpSettings};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::Mutex;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::gate::Gate;
use super::service::Replica;
use crate::database::Database;

/// Leads that take part. Each needs a call of amoCRM, of which there are five a second.
const LEADS: u64 = 60;

/// How long until every promise is kept, or broken visibly: the claims of a killed replica run out first.
const DEADLINE: Duration = Duration::from_secs(150);

pub(super) struct World {
    erp: FakeErp,
    inngest_gate: Gate,
    replicas: Vec<Mutex<Replica>>,
    addresses: Vec<SocketAddr>,
    store: Db,
    failed: Arc<StdMutex<BTreeSet<u64>>>,
    http: reqwest::Client,
    _inngest: DevServer,
    _database: Database,
    _folder: TempDir,
    _stop: DropGuard,
}

impl World {
    pub(super) async fn start(database: Database, replicas: usize) -> Self {
        let (stop, folder) = (CancellationToken::new(), tempfile::tempdir().unwrap());
        let amocrm_settings = FakeAmoCrmSettings::default();
        let amocrm =
            FakeAmoCrm::start(listener().await, stop.clone(), amocrm_settings.clone()).unwrap();
        for lead in 1..=LEADS {
            amocrm.set_lead(lead, format!("Lead {lead}").as_str(), 1000);
        }
        // That no record is doubled is for the ledger to see to: this ERP would take a second one.
        let erp_settings = FakeErpSettings { unique_field: None, ..FakeErpSettings::default() };
        let erp = FakeErp::start(listener().await, stop.clone(), erp_settings.clone()).unwrap();

        let inngest_listener = listener().await;
        let inngest_gate = Gate::to(vec![inngest_listener.local_addr().unwrap()]).await;
        let variables = [
            ("INNGEST_DEV", format!("http://{}", inngest_gate.address)),
            ("DATABASE_URL", database.url.clone()),
            ("AMOCRM_BASE_URL", amocrm.url().to_string()),
            ("AMOCRM_CLIENT_ID", amocrm_settings.client_id),
            ("AMOCRM_CLIENT_SECRET", amocrm_settings.client_secret),
            ("AMOCRM_REDIRECT_URI", amocrm_settings.redirect_uri),
            ("AMOCRM_REFRESH_TOKEN", amocrm_settings.refresh_token),
            ("CRM_API_URL", erp.url().to_string()),
            ("CRM_API_KEY", erp_settings.key),
            ("CRM_API_USERNAME", erp_settings.username),
            ("CRM_API_PASSWORD", erp_settings.password),
            ("CRM_FIELD_EXTERNAL_ID", "field_1041".to_owned()),
        ];
        let variables: Vec<_> =
            variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let (mut started, mut addresses) = (Vec::new(), Vec::new());
        for number in 0..replicas {
            let log = folder.path().join(format!("replica-{number}.log"));
            let mut replica = Replica::new(variables.clone(), log).await;
            replica.start().await;
            addresses.push(replica.address);
            started.push(Mutex::new(replica));
        }
        let app = Gate::to(addresses.clone()).await;
        let inngest = DevServer::builder()
            .app(format!("http://{}/api/inngest", app.address).parse().unwrap())
            .retry_interval(Duration::from_secs(1))
            .serve(inngest_listener, stop.clone())
            .unwrap();
        let failed = follow_failures(&inngest);
        inngest.sync_now().await.unwrap();
        let store = database.open(Arc::new(SystemClock)).await;
        Self {
            erp,
            inngest_gate,
            replicas: started,
            addresses,
            store,
            failed,
            http: reqwest::Client::builder().timeout(Duration::from_secs(3)).build().unwrap(),
            _inngest: inngest,
            _database: database,
            _folder: folder,
            _stop: stop.drop_guard(),
        }
    }

    pub(super) fn inngest_is_there(&self, there: bool) {
        self.inngest_gate.set_open(there);
    }

    pub(super) async fn kill_and_restart(&self, number: usize) {
        let mut replica = self.replicas[number % self.replicas.len()].lock().await;
        replica.kill();
        replica.start().await;
    }

    /// Posts webhooks, several of each lead, and returns the leads that were answered 200.
    pub(super) async fn posts_until(&self, stop: CancellationToken) -> BTreeSet<u64> {
        let mut promised = BTreeSet::new();
        let mut pace = tokio::time::interval(Duration::from_millis(20));
        for number in 0.. {
            pace.tick().await;
            if stop.is_cancelled() {
                break;
            }
            let lead = number % LEADS + 1;
            let address = self.addresses[number as usize % self.addresses.len()];
            let body =
                format!("leads[status][0][id]={lead}&leads[status][0][status_id]=1&account[id]=1");
            let url = format!("http://{address}/api/amocrm-webhook");
            let sent = self.http.post(url).body(body).send().await;
            if sent.is_ok_and(|answer| answer.status() == 200) {
                promised.insert(lead);
            }
        }
        promised
    }

    /// Waits until each promised lead has its record, or is seen to have none.
    pub(super) async fn until_all_are_accounted_for(&self, promised: &BTreeSet<u64>) {
        let started = Instant::now();
        loop {
            let records = self.records();
            for (lead, count) in &records {
                assert_eq!(*count, 1, "lead {lead} has {count} records");
            }
            let visible = self.visible().await;
            let missing: Vec<_> = promised
                .iter()
                .filter(|lead| !records.contains_key(lead) && !visible.contains(lead))
                .collect();
            let waiting = Inbox::new(self.store.clone()).counts().await.unwrap().waiting;
            if missing.is_empty() && waiting == 0 {
                return;
            }
            assert!(started.elapsed() < DEADLINE, "lost: {missing:?}; {waiting} in the inbox");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    pub(super) async fn summary(&self) -> String {
        let records = self.records();
        let visible = self.visible().await;
        let open = visible.iter().filter(|lead| !records.contains_key(lead)).count();
        format!("{} records, {open} visible items without one", records.len())
    }

    fn records(&self) -> BTreeMap<u64, usize> {
        let mut records = BTreeMap::new();
        for row in self.erp.rows() {
            let lead = row.fields["field_1041"].as_str().unwrap().parse().unwrap();
            *records.entry(lead).or_default() += 1;
        }
        records
    }

    /// Leads that the ledger or a failed run names.
    async fn visible(&self) -> BTreeSet<u64> {
        let mut visible = self.failed.lock().unwrap().clone();
        for deal in self.store.failed_deals(10_000).await.unwrap() {
            visible.extend(deal.lead_id.map(|lead| lead as u64));
        }
        visible
    }
}

/// The leads of failed runs, as Inngest shows them.
fn follow_failures(inngest: &DevServer) -> Arc<StdMutex<BTreeSet<u64>>> {
    let failed = Arc::new(StdMutex::new(BTreeSet::new()));
    let (mut seen, found) = (inngest.subscribe(), Arc::clone(&failed));
    tokio::spawn(async move {
        let (mut leads, mut runs) = (BTreeMap::new(), BTreeMap::new());
        while let Ok(observation) = seen.recv().await {
            match observation {
                Observation::EventReceived { id, data, .. } => {
                    leads.insert(id, data["leadId"].as_u64());
                }
                Observation::RunStarted { run_id, event_id, .. } => {
                    runs.insert(run_id, event_id);
                }
                Observation::RunFailed { run_id, .. } => {
                    let lead = runs.get(&run_id).and_then(|event| leads.get(event)).copied();
                    found.lock().unwrap().extend(lead.flatten());
                }
                _ => {}
            }
        }
    });
    failed
}

async fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

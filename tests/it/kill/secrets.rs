//! No secret of the environment appears in a log (at the most talkative level), an event, a step's output, the database
//! outside the column of its own, or the process listing.

use std::time::Duration;

use inngest_dev_server::DevServer;
use prometei_flow::clock::SystemClock;
use prometei_flow::deals;
use sandbox::{
    AmoCrmFailure, ErpFailure, FakeAmoCrm, FakeAmoCrmSettings, FakeErp, FakeErpSettings,
};
use sqlx::{AnyConnection, Connection as _, Row as _};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::service::Replica;
use crate::database::Database;
use crate::e2e::eventually;

/// Every value that must stay where it is. The first refresh token and its successors are secrets as well.
const SECRETS: [&str; 8] = [
    "planted-client-secret",
    "planted-refresh-token",
    "planted-erp-key",
    "planted-erp-password",
    "planted-webhook-secret",
    "planted-event-key",
    "fake-access-token",
    "fake-refresh-token",
];

#[tokio::test(flavor = "multi_thread")]
async fn no_planted_secret_gets_out() {
    let (stop, folder) = (CancellationToken::new(), tempfile::tempdir().unwrap());
    let _stop = stop.clone().drop_guard();
    let amocrm_settings = FakeAmoCrmSettings {
        client_secret: SECRETS[0].to_owned(),
        refresh_token: SECRETS[1].to_owned(),
        ..FakeAmoCrmSettings::default()
    };
    let amocrm =
        FakeAmoCrm::start(listener().await, stop.clone(), amocrm_settings.clone()).unwrap();
    let erp_settings = FakeErpSettings {
        key: SECRETS[2].to_owned(),
        password: SECRETS[3].to_owned(),
        ..FakeErpSettings::default()
    };
    let erp = FakeErp::start(listener().await, stop.clone(), erp_settings.clone()).unwrap();
    let inngest_listener = listener().await;
    let database = Database::file();
    let variables = [
        ("INNGEST_DEV", format!("http://{}", inngest_listener.local_addr().unwrap())),
        ("INNGEST_EVENT_KEY", SECRETS[5].to_owned()),
        ("DATABASE_URL", database.url.clone()),
        ("AMOCRM_BASE_URL", amocrm.url().to_string()),
        ("AMOCRM_CLIENT_ID", amocrm_settings.client_id),
        ("AMOCRM_CLIENT_SECRET", amocrm_settings.client_secret),
        ("AMOCRM_REDIRECT_URI", amocrm_settings.redirect_uri),
        ("AMOCRM_REFRESH_TOKEN", amocrm_settings.refresh_token),
        ("AMOCRM_WEBHOOK_SECRET", SECRETS[4].to_owned()),
        ("CRM_API_URL", erp.url().to_string()),
        ("CRM_API_KEY", erp_settings.key),
        ("CRM_API_USERNAME", erp_settings.username),
        ("CRM_API_PASSWORD", erp_settings.password),
        ("RUST_LOG", "trace".to_owned()),
    ];
    let variables = variables.map(|(name, value)| (name.to_owned(), value)).into();
    let mut replica = Replica::new(variables, folder.path().join("log")).await;
    replica.start().await;
    let inngest = DevServer::builder()
        .app(format!("http://{}/api/inngest", replica.address).parse().unwrap())
        .retry_interval(Duration::from_millis(50))
        .serve(inngest_listener, stop)
        .unwrap();
    let mut seen = inngest.subscribe();
    inngest.sync_now().await.unwrap();

    // Echoes of what was sent, as proxies and error pages make them; then a success.
    let token = "you sent: authorization: Bearer fake-access-token-1".to_owned();
    let echo = format!("you sent {}", SECRETS[2..4].join(", "));
    amocrm.fail_next(1, AmoCrmFailure::Answer { status: 500, body: token });
    erp.fail_next(1, ErpFailure::Error { code: "500".into(), message: echo.clone() });
    erp.fail_next(1, ErpFailure::Answer { status: 200, body: echo });
    for lead in 1..=4 {
        amocrm.set_lead(lead, "Lead", 1);
    }
    let http = reqwest::Client::builder().build().unwrap();
    for lead in 1..=4 {
        let url = format!("http://{}/api/amocrm-webhook?secret={}", replica.address, SECRETS[4]);
        let body = format!("leads[status][0][id]={lead}&leads[status][0][status_id]=1");
        assert_eq!(http.post(url).body(body).send().await.unwrap().status(), 200);
    }
    let wrong = format!("http://{}/api/amocrm-webhook?secret=planted-wrong", replica.address);
    assert_eq!(http.post(wrong).body("x").send().await.unwrap().status(), 401);
    eventually("two records and two failures", async || (erp.rows().len() == 2).then_some(()))
        .await;
    let store = database.open(std::sync::Arc::new(SystemClock)).await;
    eventually("the failures are noted", async || {
        (deals::failed(&store, 10).await.unwrap().len() == 2).then_some(())
    })
    .await;

    let mut events = String::new();
    while let Ok(observation) = seen.try_recv() {
        events += &format!("{observation:?}\n");
    }
    nowhere("an event or a step", &events, &SECRETS);
    nowhere("the database", &dump(&database).await, &SECRETS);
    nowhere("the process listing", &replica.command_line(), &SECRETS);
    replica.kill();
    let log = std::fs::read_to_string(&replica.log).unwrap();
    assert!(log.contains("TRACE") && events.contains("RunFailed"), "everything was looked at");
    nowhere("the log", &log, &SECRETS);
}

fn nowhere(place: &str, text: &str, secrets: &[&str]) {
    for secret in secrets {
        if let Some(line) = text.lines().find(|line| line.contains(secret)) {
            panic!("{secret} is in {place}: {line:.600}");
        }
    }
}

/// Every column of every table, but those that are there to hold tokens.
async fn dump(database: &Database) -> String {
    sqlx::any::install_default_drivers();
    let mut connection = AnyConnection::connect(&database.url).await.unwrap();
    let columns = "SELECT m.name AS t, p.name AS c FROM sqlite_master m, pragma_table_info(m.name) p \
                   WHERE m.type = 'table' AND m.name <> '_sqlx_migrations'";
    let mut dump = String::new();
    for row in sqlx::query(columns).fetch_all(&mut connection).await.unwrap() {
        let (table, column): (String, String) = (row.get(0), row.get(1));
        if table == "tokens" && column.ends_with("_token") {
            continue;
        }
        let values =
            format!("SELECT CAST({column} AS TEXT) FROM {table} WHERE {column} IS NOT NULL");
        let values = sqlx::query_scalar::<_, String>(sqlx::AssertSqlSafe(values));
        for value in values.fetch_all(&mut connection).await.unwrap() {
            dump += &format!("{table}.{column}: {value}\n");
        }
    }
    dump
}

async fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

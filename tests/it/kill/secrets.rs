//! No secret of the environment appears in a log (at the most talkative level), an event, a step's output, the database
//! outside the column of its own, or the process listing.

use std::time::Duration;

use reqwest::Method;
use sandbox::{AmoCrmFailure, ErpFailure};
use sqlx::{AnyConnection, Connection as _, Row as _};

use crate::world::{Begin as _, eventually, given};

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
async fn no_planted_secret_leaks() {
    let [client_secret, refresh_token, key, password, webhook_secret, event_key, ..] = SECRETS;
    let given = given()
        .amocrm(|amocrm| {
            amocrm.client_secret = client_secret.to_owned();
            amocrm.refresh_token = refresh_token.to_owned();
        })
        .erp(|erp| {
            erp.key = key.to_owned();
            erp.password = password.to_owned();
        })
        .variable("AMOCRM_WEBHOOK_SECRET", webhook_secret)
        .variable("INNGEST_EVENT_KEY", event_key)
        .variable("RUST_LOG", "trace")
        .inngest(|server| server.retry_interval(Duration::from_millis(50)));
    let given = (1..=4).fold(given, |world, lead| world.lead(lead, "Lead", 1));
    let mut world = given.spawned().await;

    // Echoes of what was sent, as proxies and error pages make them; then a success.
    let token = "you sent: authorization: Bearer fake-access-token-1".to_owned();
    let echo = format!("you sent {}", SECRETS[2..4].join(", "));
    world.amocrm.fail_next(1, AmoCrmFailure::Answer { status: 500, body: token });
    world.erp.fail_next(1, ErpFailure::Error { code: "500".into(), message: echo.clone() });
    world.erp.fail_next(1, ErpFailure::Answer { status: 200, body: echo });
    for lead in 1..=4 {
        world.webhook(lead).await;
    }
    let wrong = world.request(Method::POST, "/api/amocrm-webhook?secret=planted-wrong");
    assert_eq!(wrong.body("x").send().await.unwrap().status(), 401);
    world.records(2).await;
    eventually("two failures are noted", async || (world.deals().await.len() == 2).then_some(()))
        .await;

    let mut events = String::new();
    while let Ok(observation) = world.observations.try_recv() {
        events += &format!("{observation:?}\n");
    }
    let program = &world.replicas[0].service;
    nowhere("an event or a step", &events, &SECRETS);
    nowhere("the database", &dump(&world.variables["DATABASE_URL"]).await, &SECRETS);
    nowhere("the process listing", &program.command_line(), &SECRETS);
    program.kill();
    let log = program.log();
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
async fn dump(database: &str) -> String {
    sqlx::any::install_default_drivers();
    let mut connection = AnyConnection::connect(database).await.unwrap();
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

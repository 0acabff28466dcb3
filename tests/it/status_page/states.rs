//! Services in the states in which people look at the status page.

use std::sync::Arc;
use std::time::Duration;

use sandbox::{ErpFailure, ManualClock};
use serde_json::json;
use sqlx::{AnyConnection, Connection as _};

use super::LEAD;
use crate::world::{Begin as _, World, eventually, given};

const NAME: &str = "Ремонт офиса, ул. Ленина 5";

/// An account whose won deals become records.
fn account() -> sandbox::World {
    given().lead(LEAD, NAME, 46_333).variable("AMOCRM_TRIGGER_STATUSES", "9679730:77186758")
}

impl World {
    /// Waits until the page shows this.
    pub(super) async fn page_shows(&self, text: &str) {
        eventually(&format!("the page shows {text:?}"), async || {
            self.admin_page("/").await.text.contains(text).then_some(())
        })
        .await;
    }
}

/// Deals flow, for a day.
pub(super) async fn healthy() -> World {
    let leads = LEAD..LEAD + 24;
    let described = leads.clone().fold(account(), |world, lead| world.lead(lead, NAME, 46_333));
    let world = described.in_process().await;
    for lead in leads.clone() {
        world.webhook(lead).await;
    }
    world.records(leads.count()).await;
    world.page_shows("Deals flow").await;
    world.spread_over_the_day().await;
    world
}

impl World {
    /// What has just happened has happened in the hours of the last day.
    async fn spread_over_the_day(&self) {
        sqlx::any::install_default_drivers();
        let mut database = AnyConnection::connect(&self.variables["DATABASE_URL"]).await.unwrap();
        for (table, column) in [("webhook_bodies", "received_at"), ("deals", "recorded_at")] {
            let sql =
                format!("UPDATE {table} SET {column} = {column} - (rowid * rowid / 25) * 3600000");
            let spread = sqlx::query(sqlx::AssertSqlSafe(sql));
            spread.execute(&mut database).await.unwrap();
        }
        database.close().await.unwrap();
    }
}

/// Inngest is away, and webhooks come in.
pub(super) async fn stuck_inbox() -> World {
    let world = account().gate_before_inngest().in_process().await;
    world.webhook(LEAD).await;
    world.records(1).await;
    world.inngest_is_there(false);
    for lead in LEAD + 1..LEAD + 6 {
        world.webhook(lead).await;
    }
    world.page_shows("Inngest does not work").await;
    world
}

/// amoCRM takes the tokens back.
pub(super) async fn dead_token() -> World {
    let clock = Arc::new(ManualClock::new(now()));
    let world = account().clock(Arc::clone(&clock)).in_process().await;
    world.webhook(LEAD).await;
    world.records(1).await;
    world.amocrm.revoke();
    world.webhook(LEAD + 1).await;
    world.page_shows("amoCRM needs your consent").await;
    world.page_shows("It goes on by itself once that is there").await;
    world
}

/// The ERP refuses a deal.
pub(super) async fn needs_a_person() -> World {
    let world = account().in_process().await;
    let message = "field_1039 not exist in entity 70".to_owned();
    world.erp.fail_next(99, ErpFailure::Error { code: "500".to_owned(), message });
    world.webhook(LEAD).await;
    // The end of its run, after the ERP's answer.
    world.page_shows("lead 45721053: the ERP refused").await;
    world
}

/// A lead has changed after its record was made.
pub(super) async fn changed() -> World {
    let clock = Arc::new(ManualClock::new(now()));
    let world = account().variable("ADMIN_SHOW_DEALS", "1").clock(Arc::clone(&clock));
    let world = world.in_process().await;
    world.webhook(LEAD).await;
    world.records(1).await;
    world.amocrm.set_lead(LEAD, NAME, 52_000);
    let body = format!("leads[update][0][id]={LEAD}&account[id]=32452514");
    let answer = world.post_webhook("/api/amocrm-webhook", body).await;
    assert_eq!(answer, (200, json!({ "accepted": 0 })));
    clock.advance(Duration::from_secs(61));
    world.page_shows("was given 46333, amoCRM has 52000").await;
    world
}

#[expect(
    clippy::disallowed_methods,
    reason = "a page for people shows the day on which they look at it"
)]
fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

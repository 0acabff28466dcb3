//! PostgreSQL falls silent under the running service: connections that exist carry nothing any more, new ones work.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::database::Database;
use crate::world::{Begin as _, eventually, given};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs TEST_POSTGRES_URL: see CONTRIBUTING.md"]
async fn each_time_the_database_falls_silent_webhooks_are_stored_again_and_every_deal_arrives_once()
{
    let database = Database::shared().await;
    let (gate, url) = database.database.behind_gate().await.unwrap();
    let world = given()
        .variable("CRM_FIELD_EXTERNAL_ID", "field_1041")
        .inngest(|server| server.retry_interval(Duration::from_secs(1)))
        .variable("DATABASE_URL", &url);
    let world = (1..=4).fold(world, |world, lead| world.lead(lead, "Lead", 1000));
    let world = world.in_process().await;
    for lead in 1..=4 {
        gate.fall_silent();
        let silent = Instant::now();
        world.webhook(lead).await;
        println!("stored {:?} after the silence began", silent.elapsed());
        world.records(lead as usize).await;
    }
    eventually("every loop goes round", async || {
        let ready = world.admin_page("/readyz").await;
        (ready.status == 200).then_some(())
    })
    .await;
    let loops = world.admin_page("/readyz").await.json()["loops"].take();
    assert!(loops["forwarder"].is_u64() && loops["database clock"].is_u64(), "{loops}");
    assert!(world.metric(r#"loop_age_seconds{loop="forwarder"}"#).await.is_some());
    let markers = world.erp.rows().into_iter().map(|row| row.fields["field_1041"].clone());
    let mut markers: Vec<_> = markers.map(|marker| marker.to_string()).collect();
    markers.sort_unstable();
    let each_once: Vec<_> = (1..=4).map(|lead| json!(lead.to_string()).to_string()).collect();
    assert_eq!(markers, each_once);
}

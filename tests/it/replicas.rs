//! Several processes on one database.

use futures_util::future::join_all;

use crate::database::Database;
use crate::world::{Begin as _, given};

#[tokio::test]
#[ignore = "needs TEST_POSTGRES_URL: see CONTRIBUTING.md"]
async fn programs_that_start_at_once_agree_on_the_tables() {
    let database = Database::shared().await;
    let world = given().variable("DATABASE_URL", &database.url).unserved().await;
    for deals in join_all((0..8).map(|_| world.deals())).await {
        assert!(deals.is_empty(), "{deals:?}");
    }
}

#[tokio::test]
async fn a_second_service_on_the_same_file_is_refused_and_a_command_is_not() {
    let world = given().spawned().await;
    let elsewhere = [("PORT", "0"), ("ADMIN_ADDR", "127.0.0.1:0")];
    let second = world.command_with(&["serve"], &elsewhere).await;
    assert_eq!(second.code, Some(1));
    assert!(second.err.contains("another prometei-flow serves this database"), "{}", second.err);
    assert!(world.deals().await.is_empty());
}

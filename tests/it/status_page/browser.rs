//! The page in a real browser: `.ci/browser`.

use tokio::process::Command;

use super::states;
use crate::world::World;

/// The folder with the browser's driver, which `.ci/browser` makes.
const DRIVER: &str = "STATUS_PAGE_DRIVER";

#[tokio::test]
#[ignore = "needs a browser: run .ci/browser"]
async fn each_state_of_the_page_is_seen_and_used_in_a_browser() {
    let states: [(&str, World); 5] = [
        ("healthy", states::healthy().await),
        ("stuck-inbox", states::stuck_inbox().await),
        ("dead-token", states::dead_token().await),
        ("needs-a-person", states::needs_a_person().await),
        ("changed", states::changed().await),
    ];
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/status_page/browser.mjs");
    let mut node = Command::new("node");
    node.arg(script);
    for (name, world) in &states {
        node.arg(format!("{name}=http://{}", world.replicas[0].admin));
    }
    let driver = crate::world::variable(DRIVER);
    assert!(driver.is_some(), "{DRIVER} is not set: run .ci/browser");
    let seen = node.status().await.unwrap();
    assert!(seen.success(), "the page is not as it should be: see above");
    for (_, world) in states {
        world.end().await;
    }
}

use std::sync::Arc;
use std::time::Duration;

use sandbox::{ErpFailure, World};

use super::{Status, examine_within};
use crate::clock::SystemClock;
use crate::config::EnvMap;

#[tokio::test]
async fn what_hangs_does_not_keep_the_rest_from_being_told() {
    let world = World::new().signed().start(async |_| Ok(())).await.unwrap();
    world.erp.fail_next(9, ErpFailure::Hang);
    let variables = world.variables.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let (env, clock) = (variables.collect::<EnvMap>(), Arc::new(SystemClock));
    let findings = examine_within(Duration::from_secs(5), &env, clock).await;
    let status =
        |check: &str| findings.iter().find(|found| found.check == check).map(|found| found.status);
    assert_eq!(status("erp"), Some(Status::Error));
    for unharmed in ["inngest api", "amocrm token", "database"] {
        assert_eq!(status(unharmed), Some(Status::Ok), "{unharmed}");
    }
}

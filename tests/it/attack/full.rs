//! `ulimit -n 4096; cargo test attack::full -- --ignored --nocapture` is the run whose numbers are in docs/reliability.md.

use std::time::Duration;

use super::clients;
use super::load::Attacked;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes the machine for itself and 2,000 descriptors: ulimit -n 4096"]
async fn many_slow_claims_of_a_signature_take_little_memory() {
    let mut service = Attacked::start(1024).await;
    // 512 connections with 64 KiB each come on top of what all others cost.
    service.memory += 512 * 64;
    let address = service.address();
    clients::slow_claims(&mut service.attack, address, 1100);
    service.stores_webhooks(1..=200).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes half a minute, the machine for itself and 2,000 descriptors: ulimit -n 4096"]
async fn attackers_of_every_kind_at_once_change_nothing() {
    let mut service = Attacked::start(1024).await;
    let address = service.address();
    clients::half_open(&mut service.attack, address, 1100);
    clients::large_unsigned(&mut service.attack, address, 60);
    clients::forging(&mut service.attack, address, 16);
    // In three parts: on a machine that does other things as well, one of them may be slow. A slow service is in each.
    let mut p99 = Vec::new();
    for leads in [1..=200, 201..=400, 401..=600] {
        p99.push(service.stores_webhooks(leads).await.p99);
    }
    p99.sort_unstable();
    assert!(p99[1] < Duration::from_millis(500), "{p99:?}");
}

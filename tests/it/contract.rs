//! The samples of `contract/samples`, run as they stand. `.ci/contract` brings what they are run with.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use sandbox::free_address;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;
use tokio::time::timeout;

use crate::world::{Begin as _, DEADLINE, World, eventually, given, http_client, variable};

fn sample(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("contract/samples").join(name)
}

/// A sample in TypeScript, compiled.
fn compiled(name: &str) -> PathBuf {
    let folder = variable("CONTRACT_TYPESCRIPT");
    Path::new(&folder.unwrap_or_else(|| panic!("run it by .ci/contract"))).join(name)
}

/// An order that no Inngest has heard of.
fn new_order() -> String {
    ulid::Ulid::generate().to_string()
}

/// A program that finds Inngest where `world` has it, as its SDK or the sample itself looks for it.
fn program(world: &World, program: &str) -> Command {
    let mut command = Command::new(program);
    command
        .env("INNGEST_DEV", &world.inngest_url)
        .env("INNGEST_EVENT_API_BASE_URL", &world.inngest_url)
        .env("INNGEST_EVENT_KEY", "test")
        .kill_on_drop(true);
    command
}

/// Sends an order twice, as an app does that has not seen the first answer.
async fn an_order_that_is_sent_twice_is_one_deal(run: &[&str], sample: &Path) {
    let (world, order) = (given().end_to_end().await, new_order());
    for _ in 0..2 {
        let mut command = program(&world, run[0]);
        command.args(&run[1..]).arg(sample).arg(&order);
        let output = timeout(DEADLINE, command.output()).await.unwrap().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let deal = (json!(format!("Заказ {order}")), json!(15000.5));
    assert_eq!(world.records(1).await, std::slice::from_ref(&deal));
    // What the second event had started would have its record by the time that the run of a third one has ended.
    let next = world.run_of("crm/create-deal", json!({ "dealName": "next" })).await;
    assert_eq!(next.status, "Completed");
    assert_eq!(world.records(2).await, [deal, (json!("next"), Value::Null)]);
    world.end().await;
}

#[tokio::test]
#[ignore = "needs curl: .ci/contract"]
async fn curl() {
    an_order_that_is_sent_twice_is_one_deal(&["sh"], &sample("send.sh")).await;
}

#[tokio::test]
#[ignore = "needs python3: .ci/contract"]
async fn python() {
    an_order_that_is_sent_twice_is_one_deal(&["python3"], &sample("send.py")).await;
}

#[tokio::test]
#[ignore = "needs go: .ci/contract"]
async fn go() {
    an_order_that_is_sent_twice_is_one_deal(&["go", "run"], &sample("send.go")).await;
}

#[tokio::test]
#[ignore = "needs php: .ci/contract"]
async fn php() {
    an_order_that_is_sent_twice_is_one_deal(&["php"], &sample("send.php")).await;
}

#[tokio::test]
#[ignore = "needs node and npm: .ci/contract"]
async fn typescript() {
    an_order_that_is_sent_twice_is_one_deal(&["node"], &compiled("send.js")).await;
}

#[tokio::test]
#[ignore = "needs node and npm: .ci/contract"]
async fn typescript_invokes_the_function_from_another_app() {
    let (world, order) = (given().end_to_end().await, std::process::id());
    let address = free_address().await.unwrap();
    let mut app = program(&world, "node");
    let app = app.arg(compiled("invoke.js")).env("PORT", address.port().to_string());
    let mut app = app.stdout(Stdio::piped()).spawn().unwrap();
    let (http, url) = (http_client(), format!("http://{address}/api/inngest"));
    eventually("Inngest knows the app", async || {
        let answer = http.put(&url).send().await.ok()?;
        answer.status().is_success().then_some(())
    })
    .await;

    let paid = world.run_of("shop/order-paid", json!({ "order": order, "total": 99.5 })).await;
    assert_eq!(paid.status, "Completed", "{}", paid.output);
    let mut said = BufReader::new(app.stdout.take().unwrap()).lines();
    let said = timeout(DEADLINE, said.next_line()).await.unwrap().unwrap();
    assert_eq!(said, Some(format!("order {order} is record 119")));
    let deal = (json!(format!("Заказ {order}")), json!(99.5));
    assert_eq!(world.records(1).await, [deal]);
    world.end().await;
}

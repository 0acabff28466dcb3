//! T57, P-077, P-113, P-114: what starts a function, and what the function is given.

use std::time::Duration;

use inngest::{Batch, Config, Context, Endpoint, EventData, Function, Result, Scheduled, Trigger};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::config::{Configured, registered};
use crate::support::{Answer, Any, FakeApi, body, call, client, dev};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Placed {
    order: u32,
}
impl EventData for Placed {
    const NAME: &'static str = "shop/placed";
}

#[derive(Deserialize)]
struct Paid {
    amount: u32,
}
impl EventData for Paid {
    const NAME: &'static str = "shop/paid";
}

inngest::events! {
    enum Order { Placed(Placed), Paid(Paid), Nightly(Scheduled) }
}

/// Tells what it was given.
struct Orders(Vec<Trigger>);

impl Function for Orders {
    const ID: &'static str = "fn";
    type Event = Order;
    type Output = Value;
    fn triggers(&self) -> Vec<Trigger> {
        self.0.clone()
    }
    async fn run(&self, cx: Context<'_, Order>) -> Result<Value> {
        Ok(match cx.event.data {
            Order::Placed(placed) => json!({ "placed": placed.order }),
            Order::Paid(paid) => json!({ "paid": paid.amount }),
            Order::Nightly(at) => json!({ "cron": at.cron, "at": at.scheduled_at }),
        })
    }
}

fn triggers() -> Vec<Trigger> {
    vec![
        Trigger::event::<Placed>().matching("event.data.order > 1"),
        Trigger::event::<Paid>(),
        Trigger::cron("0 12 * * 5").time_zone("Europe/Paris").jitter(Duration::from_secs(30)),
    ]
}

fn serve<F: Function>(function: F) -> Endpoint {
    let client = client(dev(), FakeApi::default());
    Endpoint::builder("app", client).function(function).build().unwrap()
}

async fn given<F: Function>(function: F, event: Value) -> Answer {
    let mut body = body();
    body["event"] = event.clone();
    body["events"] = json!([event]);
    call(&serve(function), &body).await
}

#[tokio::test]
async fn p077_several_triggers_are_registered_in_order() {
    let function = registered(Orders(triggers())).await.unwrap();
    assert_eq!(
        function["triggers"],
        json!([
            { "event": "shop/placed", "expression": "event.data.order > 1" },
            { "event": "shop/paid" },
            { "cron": "TZ=Europe/Paris 0 12 * * 5", "jitter": "30s" },
        ])
    );
}

#[tokio::test]
async fn t57_each_event_is_read_as_its_own_type() {
    let orders = || Orders(triggers());
    let placed = json!({ "name": "shop/placed", "data": { "order": 7 } });
    assert_eq!(given(orders(), placed).await.json(), json!({ "placed": 7 }));
    let paid = json!({ "name": "shop/paid", "data": { "amount": 5 } });
    assert_eq!(given(orders(), paid).await.json(), json!({ "paid": 5 }));
    // P-113: the id is a time.
    let timer = json!({ "name": "inngest/scheduled.timer", "id": "2026-11-22T12:05:00Z", "ts": 1, "user": {},
        "data": { "cron": "* * * * *", "scheduledAt": "2026-11-22T12:05:00Z", "fireAt": "2026-11-22T12:05:00Z" } });
    let expected = json!({ "cron": "* * * * *", "at": "2026-11-22T12:05:00Z" });
    assert_eq!(given(orders(), timer).await.json(), expected);

    let wrong = given(orders(), json!({ "name": "shop/paid", "data": { "order": 7 } })).await;
    assert_eq!((wrong.status.as_u16(), wrong.no_retry()), (400, Some("true")));
    assert_eq!(
        wrong.json()["message"],
        "the data of event `shop/paid` does not fit: missing field `amount`"
    );
    let foreign = given(orders(), json!({ "name": "shop/other", "data": {} })).await;
    assert_eq!((foreign.status.as_u16(), foreign.no_retry()), (400, Some("true")));
    assert_eq!(
        foreign.json()["message"],
        "the data of event `shop/other` does not fit: it is none of Placed Paid Nightly"
    );
}

/// P-114: a strict type and a map both see the payload alone.
#[tokio::test]
async fn t57_p114_an_invoked_run_gets_its_payload_without_the_servers_part() {
    let invoked = |data: Value| json!({ "name": "inngest/function.invoked", "data": data });
    let data = json!({ "order": 7, "_inngest": { "fn_id": "x", "gid": "y" } });
    assert_eq!(given(Orders(triggers()), invoked(data)).await.json(), json!({ "placed": 7 }));

    let untyped = Configured { config: Config::new(), triggers: vec![Trigger::event::<Any>()] };
    assert_eq!(given(untyped, invoked(json!({ "_inngest": {} }))).await.status, 200);
    let echo = crate::support::echo(dev());
    let mut body = body();
    body["event"] = invoked(json!({ "b": 1, "a": [2], "_inngest": { "fn_id": "x" } }));
    assert_eq!(call(&echo, &body).await.json(), json!({ "a": [2], "b": 1 }));
    body["event"]["name"] = json!("demo/event.sent");
    assert!(
        call(&echo, &body).await.text.contains("_inngest"),
        "elsewhere the field is the user's"
    );
}

struct Sum;

impl Function for Sum {
    const ID: &'static str = "fn";
    type Event = Paid;
    type Output = u32;
    fn config(&self) -> Config {
        Config::new().batch(Batch::new(3, Duration::from_secs(5)))
    }
    async fn run(&self, cx: Context<'_, Paid>) -> Result<u32> {
        Ok(cx.events()?.iter().map(|event| event.data.amount).sum())
    }
}

#[tokio::test]
async fn t57_a_batch_is_typed_and_a_bad_event_names_its_position() {
    let paid = |amount: Value| json!({ "name": "shop/paid", "data": { "amount": amount } });
    let batch = |third: Value| {
        let mut body = body();
        body["event"] = paid(json!(1));
        body["events"] = json!([paid(json!(1)), paid(json!(2)), paid(third)]);
        body
    };
    assert_eq!(call(&serve(Sum), &batch(json!(3))).await.json(), json!(6));
    let mut alone = batch(json!(3));
    alone["events"] = json!([]);
    assert_eq!(call(&serve(Sum), &alone).await.json(), json!(1), "T12: the event stands for all");
    let bad = call(&serve(Sum), &batch(json!("three"))).await;
    assert_eq!((bad.status.as_u16(), bad.no_retry()), (400, Some("true")));
    assert_eq!(
        bad.json()["message"],
        "event 2 of the batch: the data of event `shop/paid` does not fit: at `amount`: invalid type: string \"three\", expected u32"
    );
}

struct Nightly(Vec<Trigger>);

impl Function for Nightly {
    const ID: &'static str = "fn";
    type Event = Scheduled;
    type Output = String;
    fn triggers(&self) -> Vec<Trigger> {
        self.0.clone()
    }
    async fn run(&self, cx: Context<'_, Scheduled>) -> Result<String> {
        Ok(cx.event.data.cron)
    }
}

#[tokio::test]
async fn t57_a_scheduled_function_can_be_invoked_by_hand() {
    let nightly = || Nightly(vec![Trigger::cron("0 3 * * *")]);
    assert_eq!(registered(nightly()).await.unwrap()["triggers"], json!([{ "cron": "0 3 * * *" }]));
    let by_hand = json!({ "name": "inngest/function.invoked", "data": { "_inngest": {} } });
    assert_eq!(given(nightly(), by_hand).await.json(), json!(""));
}

async fn problem(triggers: Vec<Trigger>) -> String {
    registered(Orders(triggers)).await.expect_err("a mistake").replace("function `fn`: ", "")
}

#[tokio::test]
async fn t61_p077_triggers_are_checked() {
    let unscheduled = registered(Nightly(vec![])).await.unwrap_err();
    insta::assert_snapshot!(unscheduled, @"function `fn`: triggers have no schedule; name one in `triggers()`, its event is `Scheduled`");

    let many = (0..11).map(|minute| Trigger::cron(format!("{minute} * * * *"))).collect();
    assert_eq!(problem(many).await, "triggers has 11 entries; at most 10");
    let bad = vec![
        Trigger::event::<Paid>(),
        Trigger::event::<Paid>(),
        Trigger::event::<Placed>().matching("event.data["),
        Trigger::named("shop/other"),
        Trigger::cron("@daily"),
        Trigger::cron("0 25 * * *").time_zone("now here").jitter(Duration::ZERO),
        Trigger::cron("* * * * *").matching("true"),
    ];
    insta::assert_snapshot!(problem(bad).await, @r"
    triggers name event `shop/other`, which the function's event type is not
    triggers name event `shop/paid` twice
    trigger.matching `event.data[` is no expression: `[` is never closed
    schedule `@daily`: it has 1 fields; minute, hour, day of the month, month and day of the week are needed
    schedule `0 25 * * *`: `25` is no hour (0 to 23)
    time_zone `now here` is no name of a zone
    jitter is 0s
    schedule `* * * * * if true`: it has 7 fields; minute, hour, day of the month, month and day of the week are needed
    ");

    struct Long;
    impl<'de> Deserialize<'de> for Long {
        fn deserialize<D: serde::Deserializer<'de>>(_: D) -> std::result::Result<Self, D::Error> {
            Ok(Self)
        }
    }
    impl EventData for Long {
        const NAME: &'static str = "";
    }
    struct OfLong;
    impl Function for OfLong {
        const ID: &'static str = "fn";
        type Event = Long;
        type Output = ();
        async fn run(&self, _: Context<'_, Long>) -> Result<()> {
            Ok(())
        }
    }
    insta::assert_snapshot!(registered(OfLong).await.unwrap_err(), @"function `fn`: the name of its event has 0 characters; 1 to 255 are allowed");
}

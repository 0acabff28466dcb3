//! T57, P-077, P-113, P-114: what starts a function, and what the function is given.

use std::time::Duration;

use inngest::{
    App, AsyncFunction, Batch, Config, Context, Endpoint, Event, EventData, Function, Result,
    Scheduled, Serve, Step, Trigger,
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::config::{config, registered, with};
use crate::support::{Answer, FakeApi, body, call, client, dev};

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

/// Returns what it was given.
async fn echo(event: Event<Order>, _: Step<'_>) -> Result<Value> {
    Ok(match event.data {
        Order::Placed(placed) => json!({ "placed": placed.order }),
        Order::Paid(paid) => json!({ "paid": paid.amount }),
        Order::Nightly(at) => json!({ "cron": at.cron, "at": at.scheduled_at }),
    })
}

fn orders(triggers: Vec<Trigger>) -> AsyncFunction<Order> {
    triggers.into_iter().fold(config(), Config::trigger).run(echo)
}

fn triggers() -> Vec<Trigger> {
    vec![
        Trigger::event::<Placed>().matching("event.data.order > 1"),
        Trigger::event::<Paid>(),
        Trigger::cron("0 12 * * 5").time_zone("Europe/Paris").jitter(Duration::from_secs(30)),
    ]
}

fn serve(function: impl Serve) -> Endpoint {
    let client = client(dev(), FakeApi::default());
    App::new("app", client).function(function).build().unwrap()
}

async fn given(function: impl Serve, event: Value) -> Answer {
    let mut body = body();
    body["event"] = event.clone();
    body["events"] = json!([event]);
    call(&serve(function), &body).await
}

#[tokio::test]
async fn p077_several_triggers_are_registered_in_order() {
    let function = registered(orders(triggers())).await.unwrap();
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
async fn the_person_the_time_and_the_version_of_an_event_are_read() {
    async fn who(event: inngest::Event<crate::support::Any>, _: Step<'_>) -> Result<Value> {
        Ok(json!([event.user, event.v, event.ts]))
    }
    let app = App::new("app", client(dev(), FakeApi::default()));
    let endpoint = app.function(Config::id("fn").run(who)).build().unwrap();
    let with = |user: Value, v: Value| {
        let mut body = body();
        (body["event"]["user"], body["event"]["v"], body["event"]["ts"]) = (user, v, json!(5));
        body
    };
    let known = with(json!({ "external_id": "u-1" }), json!("2026-11-26"));
    assert_eq!(
        call(&endpoint, &known).await.json(),
        json!([{ "external_id": "u-1" }, "2026-11-26", 5])
    );
    // What is odd there ends no run.
    for (user, v) in [(json!({}), json!(null)), (json!("u-1"), json!(1)), (json!(null), json!([]))]
    {
        assert_eq!(call(&endpoint, &with(user, v)).await.json(), json!([{}, null, 5]));
    }
}

#[tokio::test]
async fn t57_each_event_is_read_as_its_own_type() {
    let orders = || orders(triggers());
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
    assert_eq!(given(orders(triggers()), invoked(data)).await.json(), json!({ "placed": 7 }));

    assert_eq!(given(with(config()), invoked(json!({ "_inngest": {} }))).await.status, 200);
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
    type Event = Paid;
    type Output = u32;
    type OnFailure = ();
    fn config() -> Config {
        Config::id("fn").batch(Batch::new(3, Duration::from_secs(5)))
    }
    async fn run(&self, cx: Context<'_, Self>) -> Result<u32> {
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

async fn nightly(event: Event<Scheduled>, _: Step<'_>) -> Result<String> {
    Ok(event.data.cron)
}

#[tokio::test]
async fn t57_a_scheduled_function_can_be_invoked_by_hand() {
    let nightly = || config().cron("0 3 * * *").run(nightly);
    assert_eq!(registered(nightly()).await.unwrap()["triggers"], json!([{ "cron": "0 3 * * *" }]));
    let by_hand = json!({ "name": "inngest/function.invoked", "data": { "_inngest": {} } });
    assert_eq!(given(nightly(), by_hand).await.json(), json!(""));
}

/// Schedules come beside the events of the type; an event that is named takes their place.
#[tokio::test]
async fn t57_what_is_named_replaces_events_and_joins_schedules() {
    async fn paid(_: Event<Paid>, _: Step<'_>) -> Result<()> {
        Ok(())
    }
    let placed = json!({ "event": "shop/placed" });
    for (config, expected) in [
        (config(), json!([{ "event": "shop/paid" }])),
        (
            config().trigger(Trigger::event::<Paid>().matching("true")),
            json!([{ "event": "shop/paid", "expression": "true" }]),
        ),
        (config().only_invoked(), json!([])),
    ] {
        assert_eq!(registered(config.run(paid)).await.unwrap()["triggers"], expected);
    }
    let scheduled = registered(config().cron("* * * * *").run(echo)).await.unwrap();
    let cron = json!({ "cron": "* * * * *" });
    assert_eq!(scheduled["triggers"], json!([placed, { "event": "shop/paid" }, cron]));
}

/// For a schedule that may also be asked for, and for whatever else is not looked at.
#[tokio::test]
async fn t57_a_function_that_does_not_look_at_its_event_takes_any() {
    async fn reconcile(event: Event<()>, _: Step<'_>) -> Result<String> {
        Ok(event.name)
    }
    let reconcile = || config().cron("*/5 * * * *").event("app/reconcile").run(reconcile);
    assert_eq!(
        registered(reconcile()).await.unwrap()["triggers"],
        json!([{ "cron": "*/5 * * * *" }, { "event": "app/reconcile" }])
    );
    for event in [
        json!({ "name": "app/reconcile" }),
        json!({ "name": "inngest/scheduled.timer", "data": { "cron": "*/5 * * * *" } }),
        json!({ "name": "inngest/function.invoked", "data": [5] }),
    ] {
        assert_eq!(given(reconcile(), event.clone()).await.json(), event["name"]);
    }
}

async fn problem(triggers: Vec<Trigger>) -> String {
    registered(orders(triggers)).await.expect_err("a mistake").replace("function `fn`: ", "")
}

#[tokio::test]
async fn t61_p077_triggers_are_checked() {
    let unscheduled = registered(config().run(nightly)).await.unwrap_err();
    insta::assert_snapshot!(unscheduled, @"function `fn`: triggers are missing: name an event or a schedule, or say `only_invoked`");
    let half = registered(config().run(echo)).await.unwrap_err();
    insta::assert_snapshot!(half, @"function `fn`: triggers have no schedule, which the function's event expects; name one with `cron`");
    let both = config().cron("* * * * *").only_invoked().run(nightly);
    insta::assert_snapshot!(registered(both).await.unwrap_err(), @"function `fn`: only_invoked contradicts a trigger");
    let not_taken = registered(with(config().cron("* * * * *"))).await.unwrap_err();
    insta::assert_snapshot!(not_taken, @"function `fn`: triggers have a schedule, but the function's event is no `Scheduled`");

    let many = (0..9).map(|minute| Trigger::cron(format!("{minute} * * * *"))).collect();
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
    async fn of_long(_: Event<Long>, _: Step<'_>) -> Result<()> {
        Ok(())
    }
    insta::assert_snapshot!(registered(config().run(of_long)).await.unwrap_err(), @"function `fn`: the name of its event has 0 characters; 1 to 255 are allowed");
}

/// Says nothing: an event that only happens.
#[derive(Debug, PartialEq, Deserialize, serde::Serialize)]
struct Ping;
impl EventData for Ping {
    const NAME: &'static str = "demo/ping";
}

/// May say nothing.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Maybe {
    note: Option<String>,
}
impl EventData for Maybe {
    const NAME: &'static str = "demo/maybe";
}

async fn ping(_: Event<Ping>, _: Step<'_>) -> Result<Value> {
    Ok(json!("pong"))
}

async fn maybe(event: Event<Maybe>, _: Step<'_>) -> Result<Value> {
    Ok(json!(event.data.note))
}

/// No data is `null` from one sender, `{}` from the next, and absent from a third.
#[tokio::test]
async fn data_that_says_nothing_is_read_as_any_type_writes_it() {
    let (ping, maybe) = (serve(Config::id("fn").run(ping)), serve(Config::id("fn").run(maybe)));
    for data in [json!({}), Value::Null] {
        let mut body = body();
        body["event"]["data"] = data.clone();
        assert_eq!(call(&ping, &body).await.json(), "pong", "{data}");
        assert_eq!(call(&maybe, &body).await.json(), Value::Null, "{data}");
        // The server adds its own part to the data of an invocation.
        body["event"]["name"] = json!("inngest/function.invoked");
        body["event"]["data"] = json!({ "_inngest": {} });
        assert_eq!(call(&ping, &body).await.json(), "pong");
    }
    let mut absent = body();
    absent["event"].as_object_mut().unwrap().remove("data");
    assert_eq!(call(&ping, &absent).await.json(), "pong");
    let mut other = body();
    other["event"]["data"] = json!({ "x": 1 });
    let refused = call(&ping, &other).await;
    assert!(refused.text.contains("expected unit struct Ping"), "{}", refused.text);
    let sent = inngest::NewEvent::new(&Ping).unwrap();
    assert_eq!(sent.data.get(), "{}", "the server takes objects");
}

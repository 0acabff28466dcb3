//! T61, T62 and P-075..P-090: how a function is registered, and what is refused before.

use std::time::Duration;

use http::Method;
use inngest::{
    App, AsyncFunction, Batch, CancelOn, Concurrency, Config, Debounce, Event, EventData,
    RateLimit, Result, Serve, Singleton, Step, Throttle, Timeouts,
};
use serde_json::{Value, json};

use crate::support::{Any, FakeApi, client, dev, request, send};

const HOUR: Duration = Duration::from_secs(3600);

pub(crate) fn config() -> Config {
    Config::id("fn")
}

/// Serves a function with these settings.
pub(crate) fn with(config: Config) -> AsyncFunction<Any> {
    async fn idle(_: Event<Any>, _: Step<'_>) -> Result<()> {
        Ok(())
    }
    config.run(idle)
}

/// A function as it is registered, or its mistakes.
pub(crate) async fn registered(function: impl Serve) -> std::result::Result<Value, String> {
    let api = FakeApi::default().answer(200, r#"{"ok":true,"modified":true}"#);
    let endpoint = App::new("app", client(dev(), api.clone())).function(function).build();
    let endpoint = endpoint.map_err(|error| error.to_string())?;
    send(&endpoint, request(Method::PUT, "/api/inngest", "")).await;
    let payload: Value = serde_json::from_slice(api.requests()[0].body()).unwrap();
    let mut function = payload["functions"][0].clone();
    assert!(function.as_object_mut().unwrap().remove("steps").is_some(), "P-078");
    Ok(function)
}

async fn setting(config: Config) -> Value {
    let mut function = registered(with(config)).await.unwrap();
    for key in ["id", "name", "triggers"] {
        function.as_object_mut().unwrap().remove(key);
    }
    function
}

async fn mistakes(config: Config) -> String {
    registered(with(config)).await.expect_err("a mistake").replace("function `fn`: ", "")
}

struct Cancelled;
impl<'de> serde::Deserialize<'de> for Cancelled {
    fn deserialize<D: serde::Deserializer<'de>>(_: D) -> std::result::Result<Self, D::Error> {
        Ok(Self)
    }
}
impl EventData for Cancelled {
    const NAME: &'static str = "demo/cancelled";
}

/// P-076: the name is required by the server, so the id stands in for it.
#[tokio::test]
async fn t62_what_is_not_set_is_left_out() {
    assert_eq!(
        registered(with(config())).await.unwrap(),
        json!({ "id": "app-fn", "name": "app-fn", "triggers": [{ "event": "demo/event.sent" }] })
    );
}

#[tokio::test]
async fn t62_each_setting_is_written_as_the_server_reads_it() {
    let second = Duration::from_secs(1);
    for (config, wire) in [
        (config().concurrency(Concurrency::limit(5)), json!({ "concurrency": [{ "limit": 5 }] })),
        (
            config()
                .concurrency(Concurrency::limit(5).key("event.data.a"))
                .concurrency(Concurrency::limit(9).in_account("'all'")),
            json!({ "concurrency": [{ "limit": 5, "key": "event.data.a" },
                                    { "limit": 9, "key": "'all'", "scope": "account" }] }),
        ),
        (
            config().concurrency(Concurrency::limit(2).in_env("'b'")),
            json!({ "concurrency": [{ "limit": 2, "key": "'b'", "scope": "env" }] }),
        ),
        (
            config().throttle(Throttle::new(7, second).burst(2).key("event.data.a")),
            json!({ "throttle": { "limit": 7, "period": "1s", "burst": 2, "key": "event.data.a" } }),
        ),
        (
            config().rate_limit(RateLimit::new(10, HOUR)),
            json!({ "rateLimit": { "limit": 10, "period": "3600s" } }),
        ),
        (
            config().debounce(Debounce::new(second).key("event.data.a").at_most(HOUR)),
            json!({ "debounce": { "period": "1s", "key": "event.data.a", "timeout": "3600s" } }),
        ),
        (
            config().batch(Batch::new(10, second / 2).key("event.data.a").only_if("true")),
            json!({ "batchEvents": { "maxSize": 10, "timeout": "500ms", "key": "event.data.a", "if": "true" } }),
        ),
        (config().priority("60"), json!({ "priority": { "run": "60" } })),
        (config().idempotency("event.data.a"), json!({ "idempotency": "event.data.a" })),
        (
            config()
                .cancel_on(
                    CancelOn::event::<Cancelled>().matching("async.data.a == 1").within(HOUR),
                )
                .cancel_on(CancelOn::named("demo/gone")),
            json!({ "cancel": [{ "event": "demo/cancelled", "if": "async.data.a == 1", "timeout": "3600s" },
                               { "event": "demo/gone" }] }),
        ),
        (
            config().timeouts(Timeouts::new().start(second).finish(HOUR)),
            json!({ "timeouts": { "start": "1s", "finish": "3600s" } }),
        ),
        (config().singleton(Singleton::skip()), json!({ "singleton": { "mode": "skip" } })),
        (
            config().singleton(Singleton::cancel().key("event.data.a")),
            json!({ "singleton": { "mode": "cancel", "key": "event.data.a" } }),
        ),
    ] {
        assert_eq!(setting(config).await, wire);
    }
}

/// The server compares checksums: the same app must be written in the same way each time.
#[tokio::test]
async fn t62_the_registration_is_the_same_each_time() {
    let config = || {
        let config = config().name("A name").retries(2).priority("1").idempotency("event.id");
        config.singleton(Singleton::skip()).concurrency(Concurrency::limit(1))
    };
    let first = registered(with(config())).await.unwrap().to_string();
    assert_eq!(registered(with(config())).await.unwrap().to_string(), first);
    assert!(!first.contains("null"), "{first}");
}

#[tokio::test]
async fn t61_p080_concurrency() {
    let limit = || Concurrency::limit(1);
    let three = config().concurrency(limit()).concurrency(limit()).concurrency(limit());
    assert_eq!(mistakes(three).await, "concurrency has 3 entries; at most 2");
    insta::assert_snapshot!(mistakes(config().concurrency(Concurrency::limit(0).in_env(""))).await, @r"
    concurrency.limit is 0; at least 1
    concurrency.key `` is no expression: it is empty
    ");
}

#[tokio::test]
async fn t61_p082_rates() {
    let day = 24 * HOUR;
    insta::assert_snapshot!(mistakes(config().rate_limit(RateLimit::new(0, day + HOUR).key("("))).await, @r"
    rate_limit.limit is 0; at least 1
    rate_limit.period is 90000s; 1s to 86400s are allowed
    rate_limit.key `(` is no expression: `(` is never closed
    ");
    insta::assert_snapshot!(mistakes(config().throttle(Throttle::new(0, Duration::ZERO).key("'"))).await, @r"
    throttle.limit is 0; at least 1
    throttle.period is zero
    throttle.key `'` is no expression: a text in it is never closed
    ");
    for (pause, wire) in [(Duration::from_millis(500), "500ms"), (8 * day, "691200s")] {
        let problem = mistakes(config().debounce(Debounce::new(pause))).await;
        assert_eq!(problem, format!("debounce.period is {wire}; 1s to 604800s are allowed"));
    }
    let short = Debounce::new(HOUR).at_most(HOUR / 2);
    insta::assert_snapshot!(mistakes(config().debounce(short)).await, @"debounce.at_most is shorter than the pause it would cut short");
}

#[tokio::test]
async fn t61_p081_batches() {
    let all = config()
        .batch(Batch::new(1, Duration::ZERO))
        .cancel_on(CancelOn::event::<Cancelled>())
        .debounce(Debounce::new(HOUR))
        .singleton(Singleton::skip())
        .priority("1");
    insta::assert_snapshot!(mistakes(all).await, @r"
    batch.max_size is 1; at least 2
    batch.timeout is zero
    batch excludes cancel_on, which looks at a single event
    batch excludes debounce, which looks at a single event
    batch excludes singleton, which looks at a single event
    batch excludes priority, which looks at a single event
    ");
    let allowed = config().batch(Batch::new(2, HOUR)).idempotency("event.id");
    assert!(registered(with(allowed)).await.is_ok());
}

/// P-083: it is a rate limit of its own.
#[tokio::test]
async fn t61_p083_idempotency() {
    let both = config().idempotency("event.id").rate_limit(RateLimit::new(1, HOUR));
    insta::assert_snapshot!(mistakes(both).await, @"idempotency excludes rate_limit: the server makes a rate limit of 1 in 24h of it");
    insta::assert_snapshot!(mistakes(config().idempotency("")).await, @"idempotency `` is no expression: it is empty");
}

/// P-084, P-085: the server would register these, and then hang.
#[tokio::test]
async fn t61_p084_p085_cancellation_and_timeouts() {
    let six = (0..6).fold(config(), |config, _| config.cancel_on(CancelOn::named("a")));
    assert_eq!(mistakes(six).await, "cancel_on has 6 entries; at most 5");
    let cancel = CancelOn::named("").matching("a)").within(Duration::ZERO);
    let calculates = CancelOn::named("x").matching("size(async.data.items) == 1");
    let bad_path = CancelOn::named("x").same("data.order id");
    let found = mistakes(config().cancel_on(calculates).cancel_on(bad_path)).await;
    assert!(found.contains("can only compare, and this has `size`"), "{found}");
    assert!(found.contains("`id` is not expected"), "{found}");
    insta::assert_snapshot!(mistakes(config().cancel_on(cancel)).await, @r"
    cancel_on.event is empty
    cancel_on.matching `a)` is no expression: `a` is unknown; it can look at `event` and `async`
    cancel_on.within is zero
    ");
    let never = Timeouts::new().start(Duration::ZERO);
    assert_eq!(mistakes(config().timeouts(never)).await, "timeouts.start is zero");
    insta::assert_snapshot!(mistakes(config().timeouts(Timeouts::new())).await, @"timeouts has no limit; set start, finish or both");
}

/// P-079, P-086, P-087.
#[tokio::test]
async fn t61_p079_p086_p087_the_rest_and_all_at_once() {
    assert!(registered(with(config().retries(20))).await.is_ok());
    let config = config().retries(21).priority("(").singleton(Singleton::skip().key(" "));
    insta::assert_snapshot!(mistakes(config).await, @r"
    retries is 21; at most 20
    singleton.key ` ` is no expression: it is empty
    priority `(` is no expression: `(` is never closed
    ");
}

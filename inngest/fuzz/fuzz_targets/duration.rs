//! Durations and points in time as they are written, read back by other code than the writer's: the embedded dev
//! server's reader for durations, `jiff` for times. The reader is fuzzed with arbitrary text, too.
#![no_main]

// The dev server keeps it to itself, and it is a file without dependencies.
#[allow(dead_code)]
#[path = "../../dev-server/src/duration.rs"]
mod reader;

use std::time::{Duration, SystemTime};

use inngest::{Config, Context, Error, Function, Result, Settings};
use inngest_fuzz::{Answer, Any, Api, NOW, answer, post, serving};
use libfuzzer_sys::fuzz_target;

#[derive(Clone, Copy)]
enum Use {
    Sleep,
    Until,
    Wait,
    Signal,
    Invoke,
    Retry,
}

struct Given(Use, Duration);

impl Function for Given {
    type Event = Any;
    type Output = ();
    type OnFailure = ();

    fn config() -> Config {
        Config::id("fn")
    }

    async fn run(&self, cx: Context<'_, Self>) -> Result<()> {
        let Self(used, duration) = *self;
        let step = cx.step;
        match used {
            Use::Sleep => step.sleep("x", duration).await,
            Use::Until => step.sleep_until("x", at(duration)).await,
            Use::Wait => drop(step.wait_for_event::<Any>("x").timeout(duration).await),
            Use::Signal => drop(step.wait_for_signal::<Any>("x", "s").timeout(duration).await),
            Use::Invoke => drop(step.invoke_id::<()>("x", "o", &()).timeout(duration).await),
            Use::Retry => return Err(Error::from("later").retry_after(duration)),
        }
        Ok(())
    }
}

/// A time that `SystemTime` can hold, whatever the duration.
fn at(duration: Duration) -> SystemTime {
    SystemTime::UNIX_EPOCH.checked_add(duration).unwrap_or(SystemTime::UNIX_EPOCH)
}

const LONGEST: Duration = Duration::from_secs(366 * 24 * 60 * 60);

fuzz_target!(|input: &[u8]| {
    let Some((&[used], rest)) = input.split_first_chunk() else { return };
    if used & 0x80 != 0 {
        let _ = std::str::from_utf8(rest).map(reader::parse);
        return;
    }
    let Some((seconds, rest)) = rest.split_first_chunk() else { return };
    let Some((nanos, _)) = rest.split_first_chunk() else { return };
    // A mask makes short durations as likely as long ones.
    let mask = u64::MAX.checked_shr(u32::from(used >> 3) * 4).unwrap_or(0);
    let seconds = u64::from_le_bytes(*seconds) & mask;
    let duration = Duration::new(seconds, u32::from_le_bytes(*nanos) % 1_000_000_000);
    let used = match used & 7 {
        0 | 6 => Use::Sleep,
        1 | 7 => Use::Until,
        2 => Use::Wait,
        3 => Use::Signal,
        4 => Use::Invoke,
        _ => Use::Retry,
    };
    let endpoint = serving(Settings::dev(), Api::default(), Given(used, duration));
    let body = r#"{"ctx":{"run_id":"r"},"event":{"name":"demo/sent","data":{}},"steps":{}}"#;
    check(used, duration, &answer(&endpoint, post(body)));
});

fn check(used: Use, duration: Duration, answer: &Answer) {
    let option = |name: &str| answer.ops()[0]["opts"][name].as_str().expect("text").to_owned();
    let from_now = match used {
        Use::Until => at(duration).duration_since(now()).unwrap_or_default(),
        Use::Retry => {
            let seconds = answer.headers["retry-after"].to_str().expect("text");
            let rounded_up = duration.as_nanos().div_ceil(1_000_000_000).clamp(1, 86_400);
            assert_eq!(seconds.parse::<u128>(), Ok(rounded_up), "{duration:?}");
            return;
        }
        _ => duration,
    };
    if from_now > LONGEST {
        assert!(answer.final_error().contains("366"), "{}", answer.body);
        return;
    }
    let (written, wanted) = match used {
        Use::Until => {
            let text = option("duration");
            let time: jiff::Timestamp = text.parse().expect("RFC 3339");
            let since_epoch = Duration::try_from(time.as_duration()).expect("after 1970");
            let wanted = at(duration).duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
            // The server rounds the time that is left to whole seconds.
            (since_epoch, wanted + Duration::from_millis(500))
        }
        Use::Sleep => (read(&option("duration")), duration),
        _ => (read(&option("timeout")), duration),
    };
    // Rounded up to the millisecond; the reader counts in floating point.
    let slack = Duration::from_micros(10);
    assert!(written + slack >= wanted, "{written:?} is shorter than {wanted:?}");
    assert!(written < wanted + Duration::from_millis(1) + slack, "{written:?} for {wanted:?}");
}

fn read(text: &str) -> Duration {
    reader::parse(text).unwrap_or_else(|| panic!("the server cannot read `{text}`"))
}

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(NOW.unsigned_abs())
}

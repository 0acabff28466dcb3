//! Events as requests, each of which the server takes whole (I4).

use bytes::Bytes;
use serde_json::value::RawValue;

use crate::{NewEvent, SendError, json};

/// The most events that the server takes in one request. Of more it takes the first 5,000, starts their runs, and then
/// says that it refuses.
const MOST_EVENTS: usize = 5_000;
/// The most bytes in a request. The server would take more; what stands before it is asked in our errors to let 4 MiB pass.
/// The largest event fits.
const MOST_BYTES: usize = 4 * 1024 * 1024;

/// The events of one request.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Batch {
    pub(super) events: usize,
    pub(super) body: Bytes,
}

/// Events in their order, in as few requests as can be. One that could not be sent keeps them all back.
pub(super) fn batches(events: &[NewEvent]) -> Result<Vec<Batch>, SendError> {
    let (mut done, mut current) = (Vec::new(), Open::default());
    for (position, event) in events.iter().enumerate() {
        let json = write(position, event)?;
        if !current.has_room_for(&json) {
            done.push(std::mem::take(&mut current).close());
        }
        current.push(&json);
    }
    if current.events > 0 {
        done.push(current.close());
    }
    Ok(done)
}

fn write(position: usize, event: &NewEvent) -> Result<Box<RawValue>, SendError> {
    let unsendable = |reason: String| {
        let event = event.name.clone();
        SendError::Unsendable { position, event, reason }
    };
    if !event.data.get().starts_with('{') {
        return Err(unsendable("its data is no JSON object".to_owned()));
    }
    json::event(event).map_err(|reason| unsendable(reason.to_string()))
}

/// A list that is being written.
#[derive(Default)]
struct Open {
    events: usize,
    text: String,
}

impl Open {
    fn has_room_for(&self, json: &RawValue) -> bool {
        let comma_and_bracket = 2;
        let bytes = self.text.len() + json.get().len() + comma_and_bracket;
        self.events == 0 || (self.events < MOST_EVENTS && bytes <= MOST_BYTES)
    }

    fn push(&mut self, json: &RawValue) {
        self.text.push(if self.events == 0 { '[' } else { ',' });
        self.text.push_str(json.get());
        self.events += 1;
    }

    fn close(mut self) -> Batch {
        self.text.push(']');
        Batch { events: self.events, body: Bytes::from(self.text) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{MOST_BYTES, batches};
    use crate::{NewEvent, SendError};

    fn sized(bytes: usize) -> NewEvent {
        let event = |text: &str| NewEvent::named("x", json!({ "text": text }));
        let around = serde_json::to_string(&event("")).expect("JSON").len();
        event(&"x".repeat(bytes - around))
    }

    fn counts(events: &[NewEvent]) -> Vec<usize> {
        let batches = batches(events).expect("sendable");
        assert!(batches.iter().all(|batch| batch.body.len() <= MOST_BYTES));
        batches.iter().map(|batch| batch.events).collect()
    }

    #[test]
    fn no_request_has_more_events_than_the_server_takes() {
        let events: Vec<_> = (0..12_000).map(|n| NewEvent::named("x", json!({ "n": n }))).collect();
        assert_eq!(counts(&events), [5_000, 5_000, 2_000]);
        assert_eq!(counts(&events[..5_000]), [5_000]);
        assert_eq!(counts(&[]), [0; 0]);
        let first = batches(&events[..2]).expect("sendable").remove(0).body;
        assert_eq!(first, r#"[{"name":"x","data":{"n":0}},{"name":"x","data":{"n":1}}]"#);
    }

    #[test]
    fn large_events_go_in_requests_of_their_own() {
        let mib = 1024 * 1024;
        assert_eq!(counts(&[sized(3 * mib), sized(3 * mib), sized(100)]), [1, 2]);
        assert_eq!(counts(&[sized(2 * mib), sized(2 * mib - 3), sized(100)]), [2, 1]);
        assert_eq!(counts(&[sized(2 * mib), sized(2 * mib - 2)]), [1, 1]);
    }

    #[test]
    fn an_event_that_could_not_arrive_keeps_all_back_and_is_named() {
        let nested = (0..120).fold(json!(1), |inner, _| json!([inner]));
        for (data, reason) in [
            (json!([1]), "its data is no JSON object"),
            (json!({ "id": u64::MAX }), "18446744073709551615 is beyond 2^53"),
            (json!({ "a": nested }), "it nests deeper than 120 levels"),
            (
                json!({ "a": "x".repeat(3 * 1024 * 1024) }),
                "it has 3145763 bytes of JSON; the server takes at most 3145728",
            ),
        ] {
            let bad = NewEvent::named("shop/bad", data);
            let refused = batches(&[sized(100), bad]).expect_err("refused");
            assert!(
                matches!(&refused, SendError::Unsendable { position: 1, event, .. } if event == "shop/bad"),
                "{refused:?}"
            );
            assert!(refused.to_string().contains(reason), "{refused}");
        }
    }
}

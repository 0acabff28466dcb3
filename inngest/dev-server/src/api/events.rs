//! `POST /e/{key}`: the event API (P-172..P-178).

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, StatusCode, Uri};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};
use serde_json::json;
use serde_json::value::RawValue;

use super::answer::text_reply;
use crate::core::Core;
use crate::event::{Draft, InvalidEvent};
use crate::ids::EventIdSeed;

/// What Go escapes in a path.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b',')
    .remove(b'/')
    .remove(b':')
    .remove(b';')
    .remove(b'=')
    .remove(b'@');

pub(super) async fn receive(
    State(core): State<Arc<Core>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let key = key_in(uri.path());
    let is_known = core.event_keys.iter().any(|known| known.as_bytes() == key);
    if !core.event_keys.is_empty() && !is_known {
        let body = json!({"status": 401, "message": "", "error": "Event key not found"});
        return text_reply(StatusCode::UNAUTHORIZED, &body);
    }
    let seed = headers
        .get("x-inngest-event-id-seed")
        .and_then(|value| value.to_str().ok())
        .and_then(EventIdSeed::parse);
    let mut ids = Vec::new();
    let problem = accept_all(&core, &body, seed, &mut ids).err();
    if ids.is_empty() {
        // The real server's answer to an empty array, an empty body, and a first event that is refused (P-174, P-175). Where
        // an event before the refused one was accepted, the list has the ids of those alone.
        ids.push(String::new());
    }
    match problem {
        None => text_reply(StatusCode::OK, &json!({"ids": ids, "status": 200})),
        Some(error) => {
            text_reply(StatusCode::BAD_REQUEST, &json!({"ids": ids, "status": 400, "error": error}))
        }
    }
}

/// The key of `/e/{key}` as the real server reads it: decoded where Go would have escaped the path in the same way, and
/// otherwise as it came, so that a `-` sent as `%2D` is another key (P-172).
fn key_in(path: &str) -> Vec<u8> {
    let decoded: Vec<u8> = percent_decode_str(path).collect();
    let is_as_go_writes_it = percent_encode(&decoded, ESCAPED).to_string() == path;
    let seen = if is_as_go_writes_it { decoded.as_slice() } else { path.as_bytes() };
    seen.strip_prefix(b"/e/").unwrap_or(seen).to_vec()
}

/// What is neither an event nor a list of them.
const NO_EVENTS: &str = "Request body must contain an event object or an array of event objects";
/// The most events of one request (I4).
const MAX_EVENTS: usize = 5_000;

/// Events before a bad one stay accepted, and so do those that fit where there are too many (P-174).
fn accept_all(
    core: &Core,
    body: &[u8],
    seed: Option<EventIdSeed>,
    ids: &mut Vec<String>,
) -> Result<(), String> {
    for (index, event) in Events::of(body)?.enumerate() {
        if index == MAX_EVENTS {
            return Err(format!("Cannot have more than {MAX_EVENTS} events in a batch"));
        }
        let (raw, bytes) = event?;
        let draft = Draft::parse(raw, bytes).map_err(|error: InvalidEvent| error.to_string())?;
        let id = seed.map_or_else(|| core.env.ulid(), |seed| seed.ulid(index));
        core.ingest(draft.accept(id, core.env.now()));
        ids.push(id.to_string());
    }
    Ok(())
}

/// One event, or an array of them, read one by one as the real server does: what follows an array is ignored, and so is that
/// it does not end.
enum Events<'a> {
    One(Option<&'a [u8]>),
    Many { rest: &'a [u8], is_first: bool },
}

impl<'a> Events<'a> {
    fn of(body: &'a [u8]) -> Result<Self, String> {
        let body = body.trim_ascii_start();
        match body.first() {
            None => Ok(Self::One(None)),
            Some(b'[') => Ok(Self::Many { rest: &body[1..], is_first: true }),
            Some(b'{') => Ok(Self::One(Some(body))),
            Some(_) => Err(NO_EVENTS.to_owned()),
        }
    }
}

impl<'a> Iterator for Events<'a> {
    /// The event and its size.
    type Item = Result<(&'a RawValue, usize), String>;

    fn next(&mut self) -> Option<Self::Item> {
        let text = |error: serde_json::Error| error.to_string();
        match self {
            // All that follows counts too.
            Self::One(body) => body.take().map(|body| {
                serde_json::from_slice(body).map(|event| (event, body.len())).map_err(text)
            }),
            Self::Many { rest, is_first } => {
                *rest = rest.trim_ascii_start();
                let is_over = matches!(rest.first(), None | Some(b']'));
                if !is_over && !std::mem::take(is_first) {
                    match rest.strip_prefix(b",") {
                        Some(next) => *rest = next,
                        None => return Some(Err("a comma is missing after an event".to_owned())),
                    }
                }
                if is_over {
                    return None;
                }
                let mut values = serde_json::Deserializer::from_slice(rest).into_iter();
                let event: Result<&RawValue, _> = values.next()?;
                *rest = &rest[values.byte_offset()..];
                Some(event.map(|event| (event, event.get().len())).map_err(text))
            }
        }
    }
}

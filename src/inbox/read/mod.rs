//! From the body of a request to the leads that concern us.
//!
//! A body is counted from the first byte that comes in until the last one is dropped, which may be long after the answer,
//! where the database stands still. What form it has is known by its bytes: relays are known to give it a wrong content
//! type, or none.

mod gzip;
mod json;
mod multipart;

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use functions::webhook::{AmoCrmWebhook, Change, Fields, LeadFilter, Parsed};
use http_body_util::BodyExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The largest body that is accepted, and the largest that a packed one may unpack to. amoCRM writes a Cyrillic letter in
/// six bytes, and mass actions put hundreds of leads with all their fields into one body.
pub(crate) const BODY_LIMIT: usize = 4 * 1024 * 1024;

/// The most leads that are read of one body: several times what amoCRM puts into one, and no more than can be stored
/// before it stops waiting.
const LEAD_LIMIT: usize = 2000;

/// The most problems that are written down of one body.
const PROBLEM_LIMIT: usize = 10;

/// What editors and some libraries put before a text.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// What a webhook takes besides its body.
pub(super) const OVERHEAD: usize = 4 * 1024;

/// How far a body is an ordinary one: amoCRM's have a few kilobytes.
pub(super) const ORDINARY: usize = 64 * 1024;

/// Bytes of ordinary bodies, and of the beginnings of larger ones, together.
const FOR_ORDINARY: usize = 16 * 1024 * 1024;

/// Bytes by which bodies are larger than ordinary ones, together. A few clients with large bodies use this up, and do not
/// keep out the webhooks of all others.
const FOR_LARGE: usize = 32 * 1024 * 1024;

/// What a body turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// There is none.
    Empty,
    /// A webhook without a lead that concerns us.
    Ignored,
    /// A webhook of leads that were changed or deleted, and of none that makes a deal.
    Changes(BTreeSet<Change>),
    /// No webhook, as far as can be told.
    NoWebhook {
        /// Why not.
        reason: String,
    },
    /// A webhook whose leads cannot be read.
    Unparsable {
        /// Why.
        reason: String,
    },
    /// A webhook with leads that make deals.
    Leads {
        /// Them.
        leads: Vec<AmoCrmWebhook>,
        /// Leads that were changed or deleted.
        changes: BTreeSet<Change>,
        /// What else could not be read.
        problem: Option<String>,
    },
}

/// Why a body was not read.
#[derive(Debug, Clone, Copy)]
pub(super) enum Unread {
    /// It is over the limit.
    TooLarge,
    /// There was no room for it, or it did not arrive whole. Half a webhook is none: its sender has to repeat it.
    NotWhole,
}

/// Reads bodies, as many at once as there is room for.
pub(super) struct Reader {
    pub(super) room: Room,
    filter: Arc<LeadFilter>,
}

impl Reader {
    /// Of the leads, those that pass `filter`.
    pub(super) fn new(filter: LeadFilter) -> Self {
        Self { room: Room::new(), filter: Arc::new(filter) }
    }

    /// The body, of which so many bytes were announced, and what it says.
    pub(super) async fn read(
        &self,
        announced: Option<usize>,
        content_type: Option<&str>,
        body: Body,
    ) -> Result<(Bytes, Reading), Unread> {
        let body = self.whole(announced, body).await?;
        let packed = gzip::is_packed(&body);
        let unpacking = if packed {
            let mut share = self.room.enter().ok_or_else(crowded)?;
            share.grow(BODY_LIMIT).ok_or_else(crowded)?;
            Some(share)
        } else {
            None
        };
        let (content_type, bytes) = (content_type.map(str::to_owned), body.clone());
        let filter = Arc::clone(&self.filter);
        let read = move || {
            let reading = read(content_type.as_deref(), &bytes, &filter);
            drop(unpacking);
            reading
        };
        if body.len() <= ORDINARY && !packed {
            return Ok((body, read()));
        }
        // Long enough to keep other webhooks waiting.
        let reading = tokio::task::spawn_blocking(read).await.map_err(|error| {
            tracing::error!(%error, "a webhook was not read to its end");
            Unread::NotWhole
        })?;
        Ok((body, reading))
    }

    async fn whole(&self, announced: Option<usize>, mut body: Body) -> Result<Bytes, Unread> {
        let too_large = || {
            tracing::warn!("a webhook over the size limit was refused");
            Unread::TooLarge
        };
        if announced.is_some_and(|size| size > BODY_LIMIT) {
            return Err(too_large());
        }
        let (mut share, mut read) = (self.room.enter().ok_or_else(crowded)?, BytesMut::new());
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| {
                tracing::warn!("a webhook did not arrive whole");
                Unread::NotWhole
            })?;
            let Ok(data) = frame.into_data() else { continue };
            if read.len() + data.len() > BODY_LIMIT {
                return Err(too_large());
            }
            share.grow(data.len()).ok_or_else(crowded)?;
            read.extend_from_slice(&data);
        }
        Ok(share.hold(read.freeze()))
    }
}

fn crowded() -> Unread {
    tracing::warn!("a webhook was refused: too many others are held");
    Unread::NotWhole
}

/// Reads a body. Text that is no UTF-8 is replaced; nothing makes it fail. Takes time in proportion to the body's size,
/// whatever stands in it.
fn read(content_type: Option<&str>, body: &[u8], filter: &LeadFilter) -> Reading {
    let no_webhook = |why: String| {
        let content_type = content_type.unwrap_or("none");
        Reading::NoWebhook { reason: format!("{why} (content type: {content_type:.100})") }
    };
    let unpacked;
    let body = if gzip::is_packed(body) {
        match gzip::unpack(body) {
            Ok(bytes) => {
                unpacked = bytes;
                unpacked.as_slice()
            }
            Err(why) => return no_webhook(why),
        }
    } else {
        body
    };
    let text = body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body).trim_ascii();
    let mut fields = Fields::new(LEAD_LIMIT);
    let mut whole = true;
    if text.is_empty() {
        return Reading::Empty;
    } else if text.starts_with(b"{") {
        if let Err(error) = json::read(text, &mut fields) {
            // Where a text breaks off, its last number may be the beginning of a longer one.
            return no_webhook(format!("broken JSON: {error}"));
        }
    } else if let Some(boundary) = multipart::boundary(content_type, text) {
        whole = multipart::read(text, &boundary, &mut fields);
    } else {
        form_urlencoded::parse(text).for_each(|(key, value)| fields.add(&key, &value));
    }

    let parsed = fields.parsed(filter);
    match problem(&parsed, whole) {
        problem if !parsed.leads.is_empty() => {
            Reading::Leads { leads: parsed.leads, changes: parsed.changes, problem }
        }
        None if !parsed.changes.is_empty() => Reading::Changes(parsed.changes),
        None if parsed.is_webhook => Reading::Ignored,
        Some(reason) if parsed.is_webhook => Reading::Unparsable { reason },
        _ => no_webhook("no amoCRM webhook".to_owned()),
    }
}

fn problem(parsed: &Parsed, whole: bool) -> Option<String> {
    let count = parsed.problems.len();
    let mut problems: Vec<_> =
        parsed.problems.iter().take(PROBLEM_LIMIT).map(ToString::to_string).collect();
    if count > PROBLEM_LIMIT {
        problems.push(format!("and {} more", count - PROBLEM_LIMIT));
    }
    if parsed.cut {
        problems.push(format!("it names over {LEAD_LIMIT} leads; the rest was not read"));
    }
    if !whole {
        problems
            .push("a part of the multipart form could not be read, or its end is missing".into());
    }
    (!problems.is_empty()).then(|| problems.join("; "))
}

/// The room for all webhooks. Clones share it.
#[derive(Clone)]
pub(super) struct Room {
    ordinary: Arc<Semaphore>,
    large: Arc<Semaphore>,
}

/// What one webhook takes of it, given back when it is dropped.
pub(super) struct Share {
    room: Room,
    bytes: usize,
    ordinary: OwnedSemaphorePermit,
    large: Option<OwnedSemaphorePermit>,
}

impl Room {
    pub(super) fn new() -> Self {
        Self {
            ordinary: Arc::new(Semaphore::new(FOR_ORDINARY)),
            large: Arc::new(Semaphore::new(FOR_LARGE)),
        }
    }

    /// Takes a webhook in of which no byte has been read. `None` when there is no room.
    pub(super) fn enter(&self) -> Option<Share> {
        let ordinary = take(&self.ordinary, OVERHEAD)?;
        Some(Share { room: self.clone(), bytes: 0, ordinary, large: None })
    }
}

impl Share {
    /// Makes it larger. `None` when there is no room. What was announced counts for nothing: a client that says four
    /// megabytes and sends none takes none.
    pub(super) fn grow(&mut self, bytes: usize) -> Option<()> {
        let before = self.bytes.min(ORDINARY);
        self.bytes += bytes;
        let ordinary = self.bytes.min(ORDINARY) - before;
        self.ordinary.merge(take(&self.room.ordinary, ordinary)?);
        let more = take(&self.room.large, bytes - ordinary)?;
        match &mut self.large {
            Some(large) => large.merge(more),
            none => *none = Some(more),
        }
        Some(())
    }

    /// The body that this is the share of. It is counted until its last clone is dropped, wherever that is.
    pub(super) fn hold(self, body: Bytes) -> Bytes {
        Bytes::from_owner(Held { body, _share: self })
    }
}

/// A body with its share.
struct Held {
    body: Bytes,
    _share: Share,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.body
    }
}

fn take(room: &Arc<Semaphore>, bytes: usize) -> Option<OwnedSemaphorePermit> {
    Arc::clone(room).try_acquire_many_owned(u32::try_from(bytes).ok()?).ok()
}

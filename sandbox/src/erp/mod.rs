//! A Rukovoditel ERP: `api/rest.php` of versions 3.4.4 and 3.6.2.

mod actions;
mod api;
mod failure;
mod pages;
mod php;
mod request;
mod settings;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::response::Response;
use http::{HeaderMap, Method, Uri};
use serde_json::{Map, Value};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use url::Url;

pub use failure::ErpFailure;
pub use settings::{ErpField, ErpVersion, FakeErpSettings, Php};

use super::server::{RecordedRequest, lock, serve};

/// A record.
#[derive(Debug, Clone, PartialEq)]
pub struct ErpRow {
    /// Its id.
    pub id: u64,
    /// Its fields, as its columns hold them: numbers and texts that the ERP and its database have changed are texts.
    pub fields: BTreeMap<String, Value>,
}

/// A running fake ERP. Clones are handles to the same one.
#[derive(Debug, Clone)]
pub struct FakeErp {
    url: Url,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    settings: FakeErpSettings,
    rows: Vec<ErpRow>,
    requests: Vec<RecordedRequest>,
    failures: VecDeque<ErpFailure>,
    broken: VecDeque<ErpFailure>,
    late: Vec<Map<String, Value>>,
    hold: Option<Hold>,
    stop: CancellationToken,
}

/// The next request waits here.
#[derive(Debug)]
struct Hold {
    arrived: oneshot::Sender<()>,
    go_on: oneshot::Receiver<()>,
}

/// A request that is held. It is answered when this is dropped, as the ERP is then.
#[derive(Debug)]
pub struct HeldRequest {
    arrived: oneshot::Receiver<()>,
    _go_on: oneshot::Sender<()>,
}

impl HeldRequest {
    /// Waits until it has arrived.
    pub async fn arrived(&mut self) {
        let _ = (&mut self.arrived).await;
    }
}

impl FakeErp {
    /// Serves an ERP on `listener` until `stop`.
    pub fn start(
        listener: TcpListener,
        stop: CancellationToken,
        settings: FakeErpSettings,
    ) -> io::Result<Self> {
        let url = Url::parse(&format!("http://{}/api/rest.php", listener.local_addr()?));
        let (erp, app) =
            Self::without_listener(url.map_err(io::Error::other)?, stop.clone(), settings);
        serve(listener, app, stop)?;
        Ok(erp)
    }

    /// An ERP that would be at `url`, and what answers the requests to it.
    pub fn without_listener(
        url: Url,
        stop: CancellationToken,
        settings: FakeErpSettings,
    ) -> (Self, Router) {
        let state = Arc::new(Mutex::new(State {
            settings,
            rows: Vec::new(),
            requests: Vec::new(),
            failures: VecDeque::new(),
            broken: VecDeque::new(),
            late: Vec::new(),
            hold: None,
            stop,
        }));
        let app = Router::new().fallback({
            let state = Arc::clone(&state);
            move |method, uri, headers, body| respond(state, method, uri, headers, body)
        });
        (Self { url, state }, app)
    }

    /// The address of its API, for `CRM_API_URL`.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// The records, oldest first.
    pub fn rows(&self) -> Vec<ErpRow> {
        lock(&self.state).rows.clone()
    }

    /// The ERP has this record, from elsewhere. Returns its id.
    pub fn add_row<const N: usize>(&self, fields: [(&str, &str); N]) -> u64 {
        let mut state = lock(&self.state);
        let id = state.rows.last().map_or(1, |row| row.id + 1);
        let fields = fields.map(|(name, value)| (name.to_owned(), Value::from(value)));
        state.rows.push(ErpRow { id, fields: fields.into() });
        id
    }

    /// A person deletes a record in the ERP.
    pub fn delete_row(&self, id: u64) {
        lock(&self.state).rows.retain(|row| row.id != id);
    }

    /// Every request so far, oldest first.
    pub fn requests(&self) -> Vec<RecordedRequest> {
        lock(&self.state).requests.clone()
    }

    /// The requests that carried `action`, oldest first. An insert that asks whether a record could be created is a
    /// `question`.
    pub fn requests_of(&self, action: &str) -> Vec<RecordedRequest> {
        let mut requests = self.requests();
        requests.retain(|sent| request::action(&sent.headers, &sent.body) == action);
        requests
    }

    /// How many requests carried `action`.
    pub fn count(&self, action: &str) -> usize {
        self.requests_of(action).len()
    }

    /// The next `times` requests fail like this, after those already scheduled. Questions are answered in between.
    pub fn fail_next(&self, times: usize, failure: ErpFailure) {
        lock(&self.state).failures.extend(std::iter::repeat_n(failure, times));
    }

    /// The next `times` requests fail like this, questions as well.
    pub fn break_next(&self, times: usize, failure: ErpFailure) {
        lock(&self.state).broken.extend(std::iter::repeat_n(failure, times));
    }

    /// Holds the next request.
    pub fn hold_next(&self) -> HeldRequest {
        let (arrives, arrived) = oneshot::channel();
        let (_go_on, goes_on) = oneshot::channel();
        lock(&self.state).hold = Some(Hold { arrived: arrives, go_on: goes_on });
        HeldRequest { arrived, _go_on }
    }

    /// Forgets the failures that are still scheduled.
    pub fn recover(&self) {
        let mut state = lock(&self.state);
        state.failures.clear();
        state.broken.clear();
    }

    /// The records of [`ErpFailure::HangThenInsert`] appear now.
    pub fn finish_late_inserts(&self) {
        api::finish_late_inserts(&mut lock(&self.state));
    }

    /// Changes the set-up of the running ERP.
    pub fn configure(&self, change: impl FnOnce(&mut FakeErpSettings)) {
        change(&mut lock(&self.state).settings);
    }
}

async fn respond(
    state: Arc<Mutex<State>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let hold = lock(&state).hold.take();
    if let Some(hold) = hold {
        let _ = hold.arrived.send(());
        let _ = hold.go_on.await;
    }
    let (answer, stop) = {
        let mut state = lock(&state);
        let answer = api::answer(&mut state, &method, &uri, &headers, &body);
        state.requests.push(RecordedRequest { method, uri, headers, body });
        (answer, state.stop.clone())
    };
    match answer {
        Some(answer) => answer,
        None => {
            stop.cancelled().await;
            Response::default()
        }
    }
}

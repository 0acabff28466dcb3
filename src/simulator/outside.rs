//! What the other systems answer, and when they do not.

use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::response::Response;
use bytes::Bytes;
use http::Request;
use http_body_util::BodyExt as _;
use inngest::TransportError;
use sandbox::{AmoCrmFailure, ErpFailure};
use tower::ServiceExt as _;

use super::inngest::Effects;
use super::script::Act;
use super::world::{Due, System, World};
use crate::outbound::{Answer, CallError, Limits};

/// What an insert that only asks has in its body.
const NO_ITEMS: &[u8] = br#""items":{}"#;

const REFUSED: &str = "Connection refused (os error 111)";

impl World {
    /// Answers a request to amoCRM or to the ERP.
    pub(crate) async fn answers(
        &self,
        request: reqwest::RequestBuilder,
        limits: Limits,
    ) -> Result<Answer, CallError> {
        self.point().await;
        let answer = match request.build() {
            Ok(request) => self.answer(request, limits).await,
            Err(error) => Err(CallError::NotSent(error.to_string())),
        };
        self.point().await;
        answer
    }

    async fn answer(&self, request: reqwest::Request, limits: Limits) -> Result<Answer, CallError> {
        let to_erp = request.url().port() == Some(82);
        let (system, app) =
            if to_erp { (System::Erp, &self.erp_app) } else { (System::AmoCrm, &self.amocrm_app) };
        tokio::time::sleep(Duration::from_millis(self.roll(20, 600))).await;
        let away = self.away(system).map(|(act, _)| act);
        if matches!(away, Some(Act::ErpUnreachable(_) | Act::AmoCrmUnreachable(_))) {
            self.count(if to_erp { "ERP: no connection" } else { "amoCRM: no connection" });
            return Err(CallError::NotSent(REFUSED.to_owned()));
        }
        // What was written to the socket before the body ended is no request.
        let request: http::Request<reqwest::Body> = request
            .try_into()
            .map_err(|error: reqwest::Error| CallError::NotSent(error.to_string()))?;
        let (parts, body) = request.into_parts();
        let body =
            body.collect().await.map_err(|_| CallError::OutcomeUnknown("cut short".to_owned()))?;
        let body = body.to_bytes();
        let asks = body.windows(NO_ITEMS.len()).any(|part| part == NO_ITEMS);
        let request = Request::from_parts(parts, Body::from(body));
        let path = request.uri().path().to_owned();
        match away {
            // Half down, it answers a question now and then, and fails when it has a record to store.
            Some(
                Act::Erp503WithRow(_) | Act::ErpHangs(_) | Act::ErpPhpErrors(_) | Act::Erp502(_),
            ) if asks && self.percent(50) => {}
            Some(act) if to_erp => self.erp_fails(&act, asks),
            Some(act) => self.amocrm_fails(&act, path.starts_with("/oauth2")),
            None => {}
        }
        let answering = in_process(app, request);
        let Ok(response) = tokio::time::timeout(limits.timeout, answering).await else {
            self.exchange_unclear(&path);
            let reason = format!("no answer within {:?}", limits.timeout);
            return Err(CallError::OutcomeUnknown(reason));
        };
        let (parts, body) = response.into_parts();
        if parts.status.is_server_error() {
            self.exchange_unclear(&path);
        }
        let body = to_bytes(body, limits.body).await.unwrap_or_default();
        Ok(Answer { status: parts.status, headers: parts.headers, body, complete: true })
    }

    /// Of an exchange of tokens at `path`, if it is one, the service hears nothing.
    fn exchange_unclear(&self, path: &str) {
        if path.starts_with("/oauth2") {
            self.state().unclear_exchanges += 1;
        }
    }

    fn erp_fails(&self, act: &Act, asks: bool) {
        let (kind, failure) = match act {
            Act::Erp503(_) => ("ERP: 503", ErpFailure::Unavailable { retry_after: Some(60) }),
            Act::Erp503WithRow(_) => (
                "ERP: 503, record there",
                ErpFailure::InsertThenAnswer { status: 503, body: "<h1>503</h1>".to_owned() },
            ),
            Act::ErpHangs(_) => match self.roll(0, 2) {
                0 => ("ERP: no answer", ErpFailure::Hang),
                1 => ("ERP: no answer, record there", ErpFailure::InsertThenHang),
                _ if asks => ("ERP: no answer", ErpFailure::Hang),
                _ => {
                    // It finishes what its caller has given up, up to a minute after that.
                    let wait = Duration::from_secs(self.roll(20, 85));
                    self.later(wait, Due::LateInsert);
                    ("ERP: no answer, record later", ErpFailure::HangThenInsert)
                }
            },
            Act::ErpPhpErrors(_) => match self.roll(0, 3) {
                0 => ("ERP: empty 500", ErpFailure::Empty500),
                1 => ("ERP: empty 500, record there", ErpFailure::InsertThenEmpty500),
                2 => ("ERP: page of an error, record there", ErpFailure::InsertThenHtml),
                _ => ("ERP: page of an error", ErpFailure::DatabaseError),
            },
            Act::ErpHasNoDatabase(_) => ("ERP: without its database", ErpFailure::NoDatabase),
            Act::Erp502(_) => match self.roll(0, 1) {
                0 => ("ERP: 502", ErpFailure::BadGateway),
                _ => ("ERP: 502, record there", ErpFailure::InsertThenBadGateway),
            },
            _ => return,
        };
        // A question that fails stores nothing.
        let kind = if asks { kind.trim_end_matches(", record there") } else { kind };
        self.count(kind);
        self.tell(kind);
        self.erp.break_next(1, failure);
    }

    fn amocrm_fails(&self, act: &Act, exchange: bool) {
        let (kind, failure) = match act {
            Act::AmoCrm429(_) => {
                ("amoCRM: 429", AmoCrmFailure::TooManyRequests { retry_after: Some(30) })
            }
            Act::AmoCrm402(_) => (
                "amoCRM: 402",
                AmoCrmFailure::Answer {
                    status: 402,
                    body: "{\"title\":\"Payment Required\",\"status\":402}".to_owned(),
                },
            ),
            Act::AmoCrmHangs(_) => match self.roll(0, 1) {
                0 => ("amoCRM: no answer", AmoCrmFailure::Hang),
                _ => ("amoCRM: no answer after it has acted", AmoCrmFailure::ActThenHang),
            },
            Act::AmoCrm500(_) => (
                "amoCRM: 500",
                AmoCrmFailure::Answer { status: 500, body: "<h1>500</h1>".to_owned() },
            ),
            _ => return,
        };
        self.count(kind);
        if exchange {
            self.amocrm.fail_next_exchange(1, failure);
        } else {
            self.amocrm.fail_next(1, failure);
        }
    }

    /// Answers a request to Inngest.
    pub(crate) async fn answers_for_inngest(
        &self,
        request: Request<Bytes>,
        timeout: Duration,
    ) -> Result<http::Response<Bytes>, TransportError> {
        self.point().await;
        tokio::time::sleep(Duration::from_millis(self.roll(5, 100))).await;
        let answer = self.inngest_answer(&request, timeout).await;
        self.point().await;
        answer
    }

    async fn inngest_answer(
        &self,
        request: &Request<Bytes>,
        timeout: Duration,
    ) -> Result<http::Response<Bytes>, TransportError> {
        let (kind, lost) = match self.away(System::Inngest) {
            Some((Act::InngestUnreachable(_) | Act::InngestForgets(_), _)) => {
                self.count("Inngest: no connection");
                return Err(TransportError::new(REFUSED));
            }
            Some((Act::Inngest503(_), _)) => {
                self.count("Inngest: 503");
                let mut response = http::Response::new(Bytes::from_static(b"<h1>503</h1>"));
                *response.status_mut() = http::StatusCode::SERVICE_UNAVAILABLE;
                return Ok(response);
            }
            Some((Act::InngestLosesAnswers(_), _)) => ("Inngest: answer lost", true),
            _ => ("", false),
        };
        let mut effects = Effects::default();
        let swallows = matches!(self.away(System::Inngest), Some((Act::InngestSwallows(_), _)));
        let now = self.clock.passed();
        let response = self.state().inngest.answer(request, now, &mut effects);
        if swallows && request.uri().path().starts_with("/e/") && !effects.calls.is_empty() {
            // The events are taken, and nothing comes of them.
            self.count("Inngest: event taken, never run");
            self.tell("Inngest takes events and runs nothing");
            for (run, _) in effects.calls.drain(..) {
                self.state().inngest.lose(&run);
            }
        }
        self.follow(effects);
        if lost {
            self.count(kind);
            tokio::time::sleep(timeout).await;
            return Err(TransportError::new("no answer"));
        }
        Ok(response)
    }
}

/// Has `app` answer, in this process.
pub(super) async fn in_process(app: &Router, request: Request<Body>) -> Response {
    match app.clone().oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

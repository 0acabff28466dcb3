use std::sync::Arc;
use std::time::Duration;

use functions::ports::Authorization;
use http::StatusCode;
use http::header::{ACCEPT, CONTENT_TYPE};
use secrecy::ExposeSecret as _;
use serde::de::DeserializeOwned;

use super::answer::{self, ApiError, Status};
use super::call::ApiCall;
use super::gate::{self, Closed, Gate};
use super::pipelines::Pipelines;
use super::table::{self, Turn};
use crate::amocrm::auth::{AccessToken, Auth, TokenError};
use crate::amocrm::pause;
use crate::amocrm::settings::AmoCrmSettings;
use crate::clock::SharedClock;
use crate::db::Db;
use crate::outbound::{self, Answer, Limits, Outbound};

/// A lead with many custom fields takes some tens of kilobytes.
const LONGEST_ANSWER: usize = 2 * 1024 * 1024;

/// One amoCRM account. Clones share tokens and limits.
#[derive(Clone)]
pub(crate) struct AmoCrmClient(Arc<Inner>);

struct Inner {
    settings: AmoCrmSettings,
    auth: Auth,
    gate: Gate,
    pipelines: Pipelines,
    db: Db,
    outbound: Outbound,
    clock: SharedClock,
}

impl AmoCrmClient {
    /// A client of the account that `settings` describe, with its tokens in `db`. Nothing is sent yet.
    pub(crate) fn new(
        settings: AmoCrmSettings,
        db: Db,
        outbound: Outbound,
        clock: SharedClock,
    ) -> Self {
        let auth = Auth::new(&settings, &db, &outbound, &clock);
        let (gate, pipelines) = (Gate::default(), Pipelines::default());
        Self(Arc::new(Inner { settings, auth, gate, pipelines, db, outbound, clock }))
    }

    /// What the client was made with.
    pub(crate) fn settings(&self) -> &AmoCrmSettings {
        &self.0.settings
    }

    /// The tokens that calls are made with.
    pub(crate) fn auth(&self) -> &Auth {
        &self.0.auth
    }

    /// The names of pipelines and stages that were read already.
    pub(super) fn pipelines(&self) -> &Pipelines {
        &self.0.pipelines
    }

    /// How long this process has been there.
    pub(super) fn uptime(&self) -> Duration {
        self.0.clock.uptime()
    }

    /// Makes sure that a valid access token is at hand. Returns when it expires.
    pub(in crate::amocrm) async fn authorize(&self) -> Result<Authorization, TokenError> {
        let token = self.0.auth.token().await?;
        Ok(Authorization { expires_at: token.expires_at })
    }

    /// Reads `path` with these parameters; `None` where amoCRM answers that there is nothing.
    pub(crate) async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        query: Vec<(String, String)>,
    ) -> Result<Option<T>, ApiError> {
        self.read(&ApiCall::get(path).query(query)).await
    }

    /// Makes `call` and reads the answer; `None` where amoCRM answers that there is nothing.
    pub(super) async fn read<T: DeserializeOwned>(
        &self,
        call: &ApiCall<'_>,
    ) -> Result<Option<T>, ApiError> {
        let answer = self.send(call).await?;
        match answer.status {
            StatusCode::NO_CONTENT | StatusCode::NOT_FOUND => Ok(None),
            _ => answer::json(&answer).map(Some),
        }
    }

    /// Makes `call`. A token that amoCRM refuses is replaced once.
    pub(super) async fn send(&self, call: &ApiCall<'_>) -> Result<Answer, ApiError> {
        let token = self.0.auth.token().await?;
        let reason = match self.attempt(call, &token).await? {
            Attempt::Answered(answer) => return Ok(answer),
            Attempt::Unauthorized(reason) => reason,
        };
        let token = self.0.auth.token_other_than(&token, &reason).await?;
        match self.attempt(call, &token).await? {
            Attempt::Answered(answer) => Ok(answer),
            Attempt::Unauthorized(reason) => Err(ApiError::Unauthorized(reason)),
        }
    }

    async fn attempt(&self, call: &ApiCall<'_>, token: &AccessToken) -> Result<Attempt, ApiError> {
        let Inner { settings, auth, gate, outbound, clock, .. } = &*self.0;
        let entered = gate.enter(clock.now()).await;
        entered.map_err(|Closed { wait, reason }| ApiError::Paused { wait, reason })?;
        self.wait_for_other_replicas().await?;
        let mut request = outbound
            .request(call.method.clone(), call.url(&auth.base_url()))
            .map_err(|error| ApiError::unanswered(&error))?
            .bearer_auth(token.token.expose_secret())
            .header(ACCEPT, "application/hal+json, application/json");
        if let Some(body) = &call.body {
            request = request.header(CONTENT_TYPE, "application/json").body(body.to_string());
        }
        let limits = Limits { timeout: settings.timeouts.api, body: LONGEST_ANSWER };
        let timer = outbound.durations.begin([("call", call.name().into())]);
        let answer = match outbound::send(request, limits).await {
            Ok(answer) => answer,
            Err(error) => {
                timer.ends("unanswered");
                return Err(ApiError::unanswered(&error));
            }
        };

        let now = clock.now();
        let status = answer::status(&answer, call, &token.token);
        timer.ends(status.name());
        match status {
            Status::Success => {
                gate.passed();
                Ok(Attempt::Answered(answer))
            }
            Status::Unauthorized(reason) => Ok(Attempt::Unauthorized(reason)),
            Status::TooMany => {
                let asked = pause::asked(&answer.headers, now);
                let wait = gate.too_many(now, asked);
                Err(ApiError::Paused { reason: gate::TOO_MANY.to_owned(), wait })
            }
            Status::Blocked(reason, wait) => {
                gate.close(now, wait, reason.clone());
                Err(ApiError::Paused { reason, wait })
            }
            Status::Failed(error) => Err(error),
        }
    }

    /// amoCRM counts the calls of all replicas together.
    async fn wait_for_other_replicas(&self) -> Result<(), ApiError> {
        let turn = table::next_turn(&self.0.db, gate::SPACING, gate::LONGEST_WAIT).await;
        match turn.map_err(|error| ApiError::Database(format!("{error:#}")))? {
            Turn::In(wait) => tokio::time::sleep(wait).await,
            Turn::TooFar(wait) => {
                let Closed { wait, reason } = self.0.gate.refuse(wait);
                return Err(ApiError::Paused { wait, reason });
            }
        }
        Ok(())
    }
}

/// What came of one call.
enum Attempt {
    Answered(Answer),
    /// amoCRM refuses the token, in these words.
    Unauthorized(String),
}

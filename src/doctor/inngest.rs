//! Inngest: whether it can be reached, and whether it knows our keys.

use std::time::Duration;

use http::{Method, StatusCode};
use inngest::{Mode, Settings};
use url::Url;

use super::Finding;
use crate::outbound::{self, Answer, Limits, Outbound};

const LIMITS: Limits = Limits { timeout: Duration::from_secs(8), body: 16 * 1024 };

/// A run that does not exist. Whoever may ask for it is told so; anybody else is told nothing.
const NO_RUN: &str = "/v1/runs/01ARZ3NDEKTSV4RRFFQ69G5FAV";

pub(super) async fn examine(settings: &Settings, outbound: &Outbound) -> Vec<Finding> {
    let (api, events) = tokio::join!(api(settings, outbound), events(settings, outbound));
    vec![api, events]
}

async fn api(settings: &Settings, outbound: &Outbound) -> Finding {
    let check = "inngest api";
    let origin = &settings.api_origin;
    let key = settings.signing_keys.as_ref().and_then(|keys| keys.primary.api_token().ok());
    let asked = async {
        let url = Url::parse(&format!("{origin}{NO_RUN}")).map_err(|error| error.to_string())?;
        let mut request = outbound.request(Method::GET, url).map_err(|error| error.to_string())?;
        if let Some(key) = &key {
            request = request.bearer_auth(key);
        }
        if let Some(env) = &settings.env {
            request = request.header("x-inngest-env", env);
        }
        outbound::send(request, LIMITS).await.map_err(|error| error.to_string())
    };
    match asked.await {
        Err(reason) => unreachable(check, origin, &reason, settings.mode),
        Ok(Answer { status: StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, .. }) => {
            Finding::error(
                check,
                format!("{origin} refuses the signing key"),
                "copy INNGEST_SIGNING_KEY from the Inngest dashboard, of the same environment as the event key",
            )
        }
        Ok(answer) if answer.status.is_success() || answer.status == StatusCode::NOT_FOUND => {
            let key = if key.is_some() { ", the signing key is accepted" } else { "" };
            Finding::ok(check, format!("{origin} answers{key}"))
        }
        Ok(answer) => odd(check, origin, answer.status),
    }
}

async fn events(settings: &Settings, outbound: &Outbound) -> Finding {
    let check = "inngest events";
    let origin = &settings.event_origin;
    let Some(key) = settings.event_key.as_deref().filter(|key| !key.is_empty()) else {
        let message = "no event key is set; the dev server needs none";
        return Finding::ok(check, message);
    };
    let asked = async {
        let mut url = Url::parse(origin).map_err(|error| error.to_string())?;
        url.path_segments_mut()
            .map_err(|()| "the address cannot have a path".to_owned())?
            .pop_if_empty()
            .extend(["e", key]);
        // An empty list: the key is looked at, and no event is made.
        let request = outbound.request(Method::POST, url).map_err(|error| error.to_string())?;
        let request = request.header("content-type", "application/json").body("[]");
        outbound::send(request, LIMITS).await.map_err(|error| error.to_string())
    };
    match asked.await {
        Err(reason) => unreachable(check, origin, &reason, settings.mode),
        Ok(Answer { status: StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, .. }) => {
            Finding::error(
                check,
                format!("{origin} refuses the event key"),
                "copy INNGEST_EVENT_KEY from the Inngest dashboard; webhooks wait in the inbox until then",
            )
        }
        Ok(answer) if answer.status.is_success() => {
            Finding::ok(check, format!("{origin} accepts the event key"))
        }
        Ok(answer) => odd(check, origin, answer.status),
    }
}

fn unreachable(check: &'static str, origin: &str, reason: &str, mode: Mode) -> Finding {
    let fix = match mode {
        Mode::Dev => "start the dev server: npx inngest-cli@latest dev, or prometei-flow dev",
        Mode::Cloud => "check the network, and INNGEST_BASE_URL for a self-hosted server",
    };
    Finding::error(check, format!("{origin} cannot be reached: {reason}"), fix)
}

fn odd(check: &'static str, origin: &str, status: StatusCode) -> Finding {
    let message = format!("{origin} answers HTTP {}", status.as_u16());
    Finding::error(check, message, "check that this is an Inngest server: INNGEST_BASE_URL")
}

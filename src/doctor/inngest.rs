//! Inngest: whether it can be reached, and whether it accepts our keys.

use std::time::Duration;

use functions::APP_ID;
use http::StatusCode;
use inngest::signing::SigningKeys;
use inngest::{Client, Mode, RegistrationError, SendError, Settings};

use super::Finding;
use crate::clock::SharedClock;
use crate::outbound::{Outbound, inngest_client};
use crate::registration::{BY_HAND, SIGNING_KEY};

const LIMIT: Duration = Duration::from_secs(8);

pub(super) async fn examine(
    settings: &Settings,
    outbound: &Outbound,
    clock: &SharedClock,
) -> Vec<Finding> {
    // The client that the service sends with: its answers here are those that the service gets.
    let client = inngest_client(settings.clone(), outbound.clone(), clock);
    let (api, events, functions) =
        tokio::join!(api(&client), events(&client), registration(&client));
    [Some(api), Some(events), functions].into_iter().flatten().collect()
}

/// Whether deals would start anything. `None` where Inngest cannot be asked; the check of its API says why.
async fn registration(client: &Client) -> Option<Finding> {
    let check = "inngest registration";
    let known = client.registered_functions(APP_ID).await;
    let finding = match known {
        Ok(known) if !known.is_empty() => {
            let count = known.len();
            Finding::ok(check, format!("Inngest knows {count} functions of this service"))
        }
        Ok(_) => {
            let settings = client.settings();
            let by_itself = settings.serve_origin.is_some() || settings.mode == Mode::Dev;
            let fix = if by_itself { "start the service: it registers itself" } else { BY_HAND };
            let message =
                "Inngest does not know the functions of this service; deals wait for that";
            Finding::warning(check, message, fix)
        }
        Err(error) if error.is_outage() => return None,
        Err(RegistrationError::NotTold {
            status: StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN,
            ..
        }) => return None,
        Err(error) => Finding::warning(
            check,
            error.to_string(),
            "look in the Inngest dashboard whether the app is synced",
        ),
    };
    Some(finding)
}

async fn api(client: &Client) -> Finding {
    let check = "inngest api";
    let settings = client.settings();
    let origin = &settings.api_origin;
    let answer = match tokio::time::timeout(LIMIT, client.probe_api()).await {
        Err(_) => return unreachable(check, origin, &no_answer(), settings.mode),
        Ok(Err(error)) => return unreachable(check, origin, &error.to_string(), settings.mode),
        Ok(Ok(answer)) => answer,
    };
    let is_json = serde_json::from_slice::<serde::de::IgnoredAny>(answer.body()).is_ok();
    match answer.status() {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            Finding::error(check, format!("{origin} refuses the signing key"), SIGNING_KEY)
        }
        status if is_json && (status.is_success() || status == StatusCode::NOT_FOUND) => {
            let mut keys = settings.signing_keys.iter().flat_map(SigningKeys::iter);
            let was_shown = keys.any(|key| key.api_token().is_ok());
            let key = if was_shown { ", the signing key is accepted" } else { "" };
            Finding::ok(check, format!("{origin} answers{key}"))
        }
        status => Finding::error(
            check,
            format!("{origin} answers HTTP {}, and not as Inngest does", status.as_u16()),
            "check that this is an Inngest server, and what stands before it: INNGEST_BASE_URL, INNGEST_API_BASE_URL",
        ),
    }
}

async fn events(client: &Client) -> Finding {
    let check = "inngest events";
    let settings = client.settings();
    let origin = &settings.event_origin;
    if settings.event_key.as_deref().is_none_or(str::is_empty) {
        let message = "no event key is set; the dev server needs none";
        return Finding::ok(check, message);
    }
    match tokio::time::timeout(LIMIT, client.check_event_key()).await {
        Err(_) => unreachable(check, origin, &no_answer(), settings.mode),
        Ok(Ok(())) => Finding::ok(check, format!("{origin} accepts the event key")),
        Ok(Err(SendError::Unauthorized { .. })) => Finding::error(
            check,
            format!("{origin} refuses the event key"),
            "copy INNGEST_EVENT_KEY from the Inngest dashboard; webhooks wait in the inbox until then",
        ),
        Ok(Err(SendError::Unavailable { status: None, reason, .. })) => {
            unreachable(check, origin, &reason, settings.mode)
        }
        Ok(Err(error)) => Finding::error(
            check,
            format!("{origin}: {error}"),
            "webhooks wait in the inbox until this is mended",
        ),
    }
}

fn no_answer() -> String {
    format!("no answer within {LIMIT:?}")
}

fn unreachable(check: &'static str, origin: &str, reason: &str, mode: Mode) -> Finding {
    let fix = match mode {
        Mode::Dev => "start the dev server: npx inngest-cli@latest dev, or prometei-flow dev",
        Mode::Cloud => "check the network, and INNGEST_BASE_URL for a self-hosted server",
    };
    Finding::error(check, format!("{origin} cannot be reached: {reason}"), fix)
}

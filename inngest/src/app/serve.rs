use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::net::{TcpListener, ToSocketAddrs};
use url::Url;

use super::{App, AppError};
use crate::Endpoint;

/// Where the dev server looks for an app by default.
const PATH: &str = "/api/inngest";

/// How often an app that registers itself tries, with pauses of 1, 2, 4 .. seconds.
const TRIES: u32 = 6;

impl App {
    /// Lets [`serve`](Self::serve) register the app as soon as it listens, at the URL that the settings say, or at the
    /// address where it listens. During an outage it is tried again for a minute; what comes of it is logged. See also
    /// [`Endpoint::register_at`](crate::Endpoint::register_at).
    pub fn register_at_start(self) -> Self {
        Self { registers: true, ..self }
    }

    /// Serves the app at `/api/inngest` of `address` until the process ends.
    ///
    /// It is [`build`](Self::build), [`Endpoint::into_router`](crate::Endpoint::into_router) and `axum::serve`. A
    /// program with routes of its own, or one that lets calls finish before it stops, uses those.
    pub async fn serve(self, address: impl ToSocketAddrs) -> Result<(), AppError> {
        let framework = self.framework.unwrap_or("axum");
        let registers = self.registers;
        let endpoint = self.framework(framework).build()?;
        let listener = TcpListener::bind(address).await.map_err(AppError::Listen)?;
        let local = listener.local_addr().map_err(AppError::Listen)?;
        tracing::info!(address = %local, "serving Inngest functions");
        if registers && let Some(url) = endpoint.serve_url().or_else(|| here(local)) {
            tokio::spawn(register(endpoint.clone(), url));
        }
        axum::serve(listener, endpoint.into_router(PATH)).await.map_err(AppError::Serve)
    }
}

async fn register(endpoint: Endpoint, url: Url) {
    for pause in (0..TRIES).map(|tried| Duration::from_secs(1 << tried)) {
        match endpoint.register_at(url.clone()).await {
            Ok(_) => return,
            Err(error) if error.is_outage() => {
                tokio::time::sleep(error.retry_after().unwrap_or_default().max(pause)).await;
            }
            Err(error) => return tracing::warn!(%error, "the app could not register itself"),
        }
    }
    tracing::warn!(
        "the app could not register itself, and tries no longer; sync it, or restart it"
    );
}

/// Where the app listens. Every address of the machine is one that the machine itself can reach.
fn here(mut local: SocketAddr) -> Option<Url> {
    if local.ip().is_unspecified() {
        local.set_ip(Ipv4Addr::LOCALHOST.into());
    }
    Url::parse(&format!("http://{local}{PATH}")).ok()
}

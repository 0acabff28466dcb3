use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use clap::Args;
use http::{Method, StatusCode};
use serde_json::Value;
use url::Url;

use crate::config::{self, Env};
use crate::outbound::{self, CallError, Limits, Outbound};

/// Readiness itself takes two seconds at most. Orchestrators give up a check after ten at the earliest in `deploy/`.
const LIMITS: Limits = Limits { timeout: Duration::from_secs(5), body: 64 * 1024 };

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  prometei-flow healthcheck
  ADMIN_ADDR=127.0.0.1:4001 prometei-flow healthcheck

ADMIN_ADDR says where the service has its admin listener.")]
pub(super) struct Healthcheck {}

impl Healthcheck {
    /// Readiness needs no `ADMIN_TOKEN`, so it is not sent either.
    pub(super) async fn run(self, env: &dyn Env, out: &mut impl Write) -> anyhow::Result<()> {
        let admin = reachable(config::admin_address(env)?);
        let url = Url::parse(&format!("http://{admin}/readyz")).context("ADMIN_ADDR")?;
        let answer = match Outbound::new().request(Method::GET, url) {
            Ok(request) => outbound::send(request, LIMITS).await,
            Err(error) => Err(error),
        };
        let answer = answer.map_err(|error| match error {
            CallError::NotSent(_) => anyhow!(
                "no service answers at {admin} ({error}): start it, or set ADMIN_ADDR as it has it"
            ),
            CallError::OutcomeUnknown(_) => {
                anyhow!("the service at {admin} does not say whether it is ready: {error}")
            }
        })?;
        let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        match (answer.status, body["status"].as_str(), body["reason"].as_str()) {
            (StatusCode::OK, Some("ready"), _) => Ok(writeln!(out, "ready")?),
            (_, Some("not ready"), Some(reason)) => bail!("not ready: {}", one_line(reason)),
            (status, ..) => bail!(
                "another program answers at {admin} (HTTP {}): set ADMIN_ADDR as the service has it",
                status.as_u16()
            ),
        }
    }
}

/// How the listener is reached from its own machine: one that listens everywhere has no address of its own.
fn reachable(admin: SocketAddr) -> SocketAddr {
    let ip = match admin.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, admin.port())
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::reachable;

    #[test]
    fn a_listener_on_every_address_is_asked_on_this_machine() {
        for (admin, asked) in [
            ("0.0.0.0:3001", "127.0.0.1:3001"),
            ("[::]:3001", "[::1]:3001"),
            ("10.0.0.5:9000", "10.0.0.5:9000"),
        ] {
            assert_eq!(reachable(admin.parse().unwrap()), asked.parse().unwrap());
        }
    }
}

//! The listeners.

use std::net::{IpAddr, SocketAddr};

use secrecy::{ExposeSecret as _, SecretString};

use super::reader::Reader;
use crate::net::is_this_machine;

/// Where the service listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ListenSettings {
    /// The host of the public listener: an address or a name.
    pub host: String,
    /// The port of the public listener; 0 takes a free one.
    pub port: u16,
    /// The admin listener: status, readiness, metrics.
    pub admin: SocketAddr,
}

/// What the admin listener shows, and to whom.
#[derive(Debug, Clone)]
pub(crate) struct AdminSettings {
    /// `ADMIN_TOKEN`: what a request must carry.
    pub token: Option<SecretString>,
    /// `ADMIN_SHOW_DEALS`: whether names and amounts are shown.
    pub shows_deals: bool,
}

impl ListenSettings {
    /// Whether only this machine reaches the public listener.
    pub(super) fn is_local(&self) -> bool {
        is_this_machine(&self.host)
    }
}

/// A shorter token could be guessed.
const LEAST_TOKEN: usize = 16;

pub(super) fn read(reader: &mut Reader<'_>) -> (ListenSettings, AdminSettings) {
    let host = reader.parsed("HOST", host).unwrap_or_else(|| "127.0.0.1".to_owned());
    let port = reader.parsed("PORT", port).unwrap_or(3000);
    let admin = read_admin(reader);
    // The listeners differ in who may see them: one must not stand in for the other.
    if port != 0 && admin.port() == port {
        reader.error(
            "ADMIN_ADDR",
            format!("has the port of the public listener, {port}; take another"),
        );
    }
    let token = reader.secret("ADMIN_TOKEN");
    if token.as_ref().is_some_and(|token| token.expose_secret().chars().count() < LEAST_TOKEN) {
        let problem =
            format!("is too short; make one of at least {LEAST_TOKEN} random letters and digits");
        reader.error("ADMIN_TOKEN", problem);
    }
    if token.is_none() && !is_this_machine(&admin.ip().to_string()) {
        reader.warn(
            "ADMIN_ADDR",
            "other machines reach it, and it asks for no token: set ADMIN_TOKEN",
        );
    }
    let shows_deals = reader.parsed("ADMIN_SHOW_DEALS", switch).unwrap_or(false);
    (ListenSettings { host, port, admin }, AdminSettings { token, shows_deals })
}

pub(super) fn read_admin(reader: &mut Reader<'_>) -> SocketAddr {
    let admin = reader.parsed("ADMIN_ADDR", admin);
    admin.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 3001)))
}

fn switch(text: &str) -> Result<bool, String> {
    match text {
        "1" | "true" => Ok(true),
        "0" | "false" => Ok(false),
        _ => Err(format!("{text:?} is neither 1 nor 0")),
    }
}

fn host(text: &str) -> Result<String, String> {
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    let is_address = bare.parse::<IpAddr>().is_ok();
    if is_address || (!text.contains([':', '/']) && url::Host::parse(text).is_ok()) {
        return Ok(bare.to_owned());
    }
    Err(format!("{text:?} is no host; write an address as 127.0.0.1 or 0.0.0.0, without a port"))
}

fn port(text: &str) -> Result<u16, String> {
    text.parse().map_err(|_| format!("{text:?} is no port; write a number up to 65535"))
}

fn admin(text: &str) -> Result<SocketAddr, String> {
    let address = text.strip_prefix("localhost:").map(|port| format!("127.0.0.1:{port}"));
    address
        .as_deref()
        .unwrap_or(text)
        .parse()
        .map_err(|_| format!("{text:?} is no address with a port; write it as 127.0.0.1:3001"))
}

//! The listeners.

use std::net::{IpAddr, SocketAddr};

use super::reader::Reader;
use crate::net::is_this_machine;

/// Where the service listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenSettings {
    /// The host of the public listener: an address or a name.
    pub host: String,
    /// The port of the public listener; 0 takes a free one.
    pub port: u16,
    /// The admin listener: status, readiness, metrics.
    pub admin: SocketAddr,
}

impl ListenSettings {
    /// Whether only this machine reaches the public listener.
    pub(super) fn is_local(&self) -> bool {
        is_this_machine(&self.host)
    }
}

pub(super) fn read(reader: &mut Reader<'_>) -> ListenSettings {
    let host = reader.parsed("HOST", host).unwrap_or_else(|| "127.0.0.1".to_owned());
    let port = reader.parsed("PORT", port).unwrap_or(3000);
    let admin = reader.parsed("ADMIN_ADDR", admin);
    let admin = admin.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 3001)));
    // The listeners differ in who may see them: one must not stand in for the other.
    if port != 0 && admin.port() == port {
        reader.error(
            "ADMIN_ADDR",
            format!("has the port of the public listener, {port}; take another"),
        );
    }
    if !is_this_machine(&admin.ip().to_string()) {
        reader.warn("ADMIN_ADDR", "reachable from other machines, and it asks for no login");
    }
    ListenSettings { host, port, admin }
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

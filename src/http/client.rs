//! The client of a request, for which limits are counted.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts};
use http::HeaderMap;
use http::request::Parts;

use super::listener::client_key;
use crate::net::is_nearby;

/// Written by proxies; each appends the address that has called it.
const FORWARDED_FOR: &str = "x-forwarded-for";

/// The client of a request. Requests that came over no listener have one and the same.
pub(crate) struct Client(pub(crate) IpAddr);

impl<S: Sync> FromRequestParts<S> for Client {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let peer = peer.map_or(Ipv4Addr::UNSPECIFIED.into(), |ConnectInfo(peer)| peer.ip());
        Ok(Self(of(peer, &parts.headers)))
    }
}

/// The client behind `peer`, the other end of the connection.
///
/// Only a proxy on this machine or in the private network is trusted, and of its header only the last address, which it
/// has seen itself: those before it come from the client, which could name another one with each request.
fn of(peer: IpAddr, headers: &HeaderMap) -> IpAddr {
    let forwarded = || {
        let header = headers.get_all(FORWARDED_FOR).iter().next_back()?;
        address(header.to_str().ok()?.rsplit(',').next()?.trim())
    };
    client_key(if is_nearby(peer) { forwarded().unwrap_or(peer) } else { peer })
}

/// Some proxies write the port too.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.trim_start_matches('[').trim_end_matches(']').parse().ok();
    bare.or_else(|| Some(text.parse::<SocketAddr>().ok()?.ip()))
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};

    fn client(peer: &str, forwarded: &[&'static str]) -> String {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append("x-forwarded-for", HeaderValue::from_static(value));
        }
        super::of(peer.parse().unwrap(), &headers).to_string()
    }

    #[test]
    fn a_direct_client_cannot_name_itself() {
        assert_eq!(client("203.0.113.7", &["198.51.100.1"]), "203.0.113.7");
        assert_eq!(client("2001:db8::7", &["198.51.100.1"]), "2001:db8::");
    }

    #[test]
    fn a_proxy_nearby_names_the_client_that_it_has_seen() {
        for proxy in ["127.0.0.1", "10.1.2.3", "172.17.0.1", "::1", "::ffff:10.1.2.3", "fd00::1"] {
            assert_eq!(client(proxy, &["1.1.1.1, 203.0.113.7"]), "203.0.113.7", "{proxy}");
            assert_eq!(client(proxy, &["1.1.1.1", "2.2.2.2,203.0.113.7"]), "203.0.113.7");
        }
        assert_eq!(client("10.1.2.3", &["203.0.113.7:4711"]), "203.0.113.7");
        assert_eq!(client("10.1.2.3", &["[2001:db8::7]:4711"]), "2001:db8::");
    }

    #[test]
    fn a_proxy_without_a_usable_header_is_the_client_itself() {
        for said in [&[] as &[&str], &[""], &["unknown"], &["203.0.113.7, _hidden"]] {
            assert_eq!(client("10.1.2.3", said), "10.1.2.3", "{said:?}");
        }
    }
}

//! Where an address leads: to this machine, into its own network, or further.

use std::net::IpAddr;

use url::Url;

/// Whether what is sent to `url` stays on this machine.
pub(crate) fn stays_here(url: &Url) -> bool {
    url.host_str().is_some_and(is_this_machine)
}

/// Whether `host`, a name or an address, is this machine.
pub(crate) fn is_this_machine(host: &str) -> bool {
    match host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
        Ok(address) => address.to_canonical().is_loopback(),
        // No other name: one that ends with .localhost may be asked of a name server elsewhere.
        Err(_) => host.eq_ignore_ascii_case("localhost"),
    }
}

/// Whether `address` is this machine or in a private network, as a proxy in front of the service is.
pub(crate) fn is_nearby(address: IpAddr) -> bool {
    let address = address.to_canonical();
    address.is_loopback()
        || match address {
            IpAddr::V4(address) => address.is_private() || address.is_link_local(),
            IpAddr::V6(address) => address.is_unique_local() || address.is_unicast_link_local(),
        }
}

#[cfg(test)]
mod tests {
    use super::{is_nearby, is_this_machine, stays_here};

    #[test]
    fn this_machine_has_one_name_and_many_addresses() {
        for host in
            ["localhost", "LocalHost", "127.0.0.1", "127.8.9.1", "::1", "[::1]", "::ffff:127.0.0.1"]
        {
            assert!(is_this_machine(host), "{host}");
        }
        for host in [
            "0.0.0.0",
            "::",
            "10.0.0.1",
            "128.0.0.1",
            "::ffff:10.0.0.1",
            "flow.localhost",
            "localhost.example",
            "127.0.0.1.example",
            "",
        ] {
            assert!(!is_this_machine(host), "{host}");
        }
        for (url, here) in [("http://[::1]:1/x", true), ("http://h", false), ("unix:/x", false)] {
            assert_eq!(stays_here(&url.parse().unwrap()), here, "{url}");
        }
    }

    #[test]
    fn a_private_network_is_nearby_and_the_world_is_not() {
        for address in
            ["127.0.0.1", "10.1.2.3", "172.17.0.1", "169.254.1.1", "::1", "fd00::1", "fe80::1"]
        {
            assert!(is_nearby(address.parse().unwrap()), "{address}");
        }
        for address in ["203.0.113.7", "2001:db8::1", "::ffff:203.0.113.7", "0.0.0.0"] {
            assert!(!is_nearby(address.parse().unwrap()), "{address}");
        }
    }
}

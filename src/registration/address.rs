use std::net::{Ipv4Addr, SocketAddr};

use inngest::{Endpoint, Mode, Settings};
use url::Url;

use crate::net;

/// Where Inngest finds this service, as far as the service knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Address {
    /// `INNGEST_SERVE_ORIGIN` says it.
    Declared(Url),
    /// It is that of the listener, because Inngest is on this machine too. A dev server in a container may know a better
    /// one, so it is not imposed on a server that knows the functions.
    Local(Url),
    /// It is for a person to tell Inngest.
    Unknown,
}

impl Address {
    /// Of the service that serves `endpoint` and listens at `listener`.
    pub(crate) fn of(endpoint: &Endpoint, settings: &Settings, listener: SocketAddr) -> Self {
        if let Some(url) = endpoint.serve_url() {
            return Self::Declared(url);
        }
        let is_here = Url::parse(&settings.api_origin).is_ok_and(|url| net::stays_here(&url));
        if settings.mode == Mode::Cloud || !is_here {
            return Self::Unknown;
        }
        let mut reachable = listener;
        if listener.ip().is_unspecified() {
            reachable.set_ip(Ipv4Addr::LOCALHOST.into());
        }
        let path = settings.serve_path.as_deref().unwrap_or("/api/inngest");
        Url::parse(&format!("http://{reachable}{path}")).map_or(Self::Unknown, Self::Local)
    }

    pub(super) fn url(&self) -> Option<&Url> {
        match self {
            Self::Declared(url) | Self::Local(url) => Some(url),
            Self::Unknown => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use inngest::signing::SigningKey;
    use inngest::{App, Client, ReqwestTransport, Settings};

    use super::Address;

    fn address(settings: &Settings, listener: &str) -> Option<String> {
        let transport = ReqwestTransport::with_deadlines().unwrap();
        let endpoint = App::new("app", Client::new(settings.clone(), transport)).build().unwrap();
        let address = Address::of(&endpoint, settings, listener.parse().unwrap());
        address.url().map(ToString::to_string)
    }

    #[test]
    fn in_development_it_is_the_listeners_where_inngest_is_on_this_machine() {
        let local = |listener| address(&Settings::dev(), listener);
        assert_eq!(local("0.0.0.0:3000").unwrap(), "http://127.0.0.1:3000/api/inngest");
        assert_eq!(local("127.0.0.2:80").unwrap(), "http://127.0.0.2/api/inngest");
        let mut elsewhere = Settings::dev();
        elsewhere.api_origin = "http://inngest:8288".to_owned();
        assert_eq!(address(&elsewhere, "0.0.0.0:3000"), None);
    }

    #[test]
    fn elsewhere_it_is_what_the_settings_say_and_nothing_else() {
        let mut cloud = Settings::cloud("key", SigningKey::new("signkey-test-0123"));
        cloud.api_origin = "http://127.0.0.1:8288".to_owned();
        assert_eq!(address(&cloud, "0.0.0.0:3000"), None);
        cloud.serve_origin = Some("https://flow.example".to_owned());
        assert_eq!(address(&cloud, "0.0.0.0:3000").unwrap(), "https://flow.example/api/inngest");
    }
}

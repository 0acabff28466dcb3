use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

/// Limits the requests of each client in a minute. For consents, which are rare: more than a few come from a script.
#[derive(Debug)]
pub(crate) struct RateLimit {
    per_minute: u32,
    window: Mutex<Window>,
}

#[derive(Debug, Default)]
struct Window {
    start: Timestamp,
    passed: HashMap<IpAddr, u32>,
    /// What has passed of all clients beyond [`CLIENTS`].
    others: u32,
}

const MINUTE: SignedDuration = SignedDuration::from_mins(1);

/// Clients that are told apart in a minute; what comes beyond them shares one allowance, so that a crowd of addresses
/// costs neither memory nor work without limit.
const CLIENTS: usize = 1024;

impl RateLimit {
    pub(crate) fn new(per_minute: u32) -> Self {
        Self { per_minute, window: Mutex::default() }
    }

    /// Whether one more of `client` may pass.
    pub(crate) fn admits(&self, client: IpAddr, now: Timestamp) -> bool {
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        // A clock that was set back begins a new minute too.
        if !(SignedDuration::ZERO..MINUTE).contains(&now.duration_since(window.start)) {
            *window = Window { start: now, ..Window::default() };
        }
        let known = window.passed.len() < CLIENTS || window.passed.contains_key(&client);
        let passed = match known {
            true => window.passed.entry(client).or_default(),
            false => &mut window.others,
        };
        *passed = passed.saturating_add(1);
        *passed <= self.per_minute
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use jiff::{SignedDuration, Timestamp};

    use super::{CLIENTS, RateLimit};

    fn client(number: u32) -> IpAddr {
        Ipv4Addr::from_bits(number).into()
    }

    #[test]
    fn a_client_has_its_share_anew_each_minute() {
        let (limit, mut now) = (RateLimit::new(2), Timestamp::UNIX_EPOCH);
        let one = client(1);
        assert!(limit.admits(one, now) && limit.admits(one, now) && !limit.admits(one, now));
        now += SignedDuration::from_secs(59);
        assert!(!limit.admits(one, now));
        now += SignedDuration::from_secs(1);
        assert!(limit.admits(one, now));
    }

    #[test]
    fn no_client_uses_up_the_share_of_another() {
        let (limit, now) = (RateLimit::new(1), Timestamp::UNIX_EPOCH);
        assert!(limit.admits(client(1), now) && !limit.admits(client(1), now));
        assert!(limit.admits(client(2), now));
    }

    #[test]
    fn a_crowd_of_clients_is_not_remembered_one_by_one() {
        let (limit, now) = (RateLimit::new(2), Timestamp::UNIX_EPOCH);
        assert!(limit.admits(client(0), now), "who came before the crowd");
        let crowd = (1..100_000).filter(|number| limit.admits(client(*number), now)).count();
        assert_eq!(crowd, CLIENTS - 1 + 2);
        assert_eq!(limit.window.lock().unwrap().passed.len(), CLIENTS);
        assert!(limit.admits(client(0), now), "keeps its share");
    }

    #[test]
    fn a_clock_that_was_set_back_locks_no_client_out() {
        let (limit, now) = (RateLimit::new(1), Timestamp::UNIX_EPOCH);
        assert!(limit.admits(client(1), now) && !limit.admits(client(1), now));
        assert!(limit.admits(client(1), now - SignedDuration::from_hours(1)));
    }
}

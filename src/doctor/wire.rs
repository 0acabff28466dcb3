//! The network between this machine and the others: certificates and clocks.

use std::time::Duration;

use http::Method;
use http::header::DATE;
use jiff::{SignedDuration, Timestamp, fmt::rfc2822};
use url::Url;

use super::Finding;
use crate::clock::SharedClock;
use crate::config::Config;
use crate::net::stays_here;
use crate::outbound::{self, CallError, Limits, Outbound};

const LIMITS: Limits = Limits { timeout: Duration::from_secs(8), body: 1024 };

/// Inngest's signatures live for five minutes.
const TOO_FAR: SignedDuration = SignedDuration::from_secs(240);
/// Enough for a warning.
const FAR: SignedDuration = SignedDuration::from_secs(30);

pub(super) async fn examine(
    config: &Config,
    outbound: &Outbound,
    clock: &SharedClock,
) -> Vec<Finding> {
    let amocrm = config.amocrm.as_ref().map(|amocrm| amocrm.base_url.as_url().clone());
    let erp = config.erp.as_ref().map(|erp| erp.api_url.clone());
    let (inngest, amocrm, erp) = tokio::join!(
        probe(Url::parse(&config.inngest.api_origin).ok(), outbound, clock),
        probe(amocrm, outbound, clock),
        probe(erp, outbound, clock)
    );
    let named = [("Inngest", inngest), ("amoCRM", amocrm), ("the ERP", erp)];
    let probes: Vec<_> =
        named.into_iter().filter_map(|(name, probe)| Some((name, probe?))).collect();
    let mut findings = vec![tls(&probes), skew(&probes)];
    if let Some(origin) = config.public_origin()
        && origin.scheme() == "http"
        && !stays_here(&origin)
    {
        findings.push(Finding::warning(
            "public address",
            format!("{origin} is not encrypted: the webhook's secret can be read on the way"),
            "put the service behind https, and correct INNGEST_SERVE_ORIGIN or AMOCRM_REDIRECT_URI",
        ));
    }
    findings
}

struct Probe {
    encrypted: bool,
    failure: Option<String>,
    /// How far their clock is ahead of ours.
    ahead: Option<SignedDuration>,
}

/// Fetches the front page, without a key. Its content does not matter.
async fn probe(url: Option<Url>, outbound: &Outbound, clock: &SharedClock) -> Option<Probe> {
    let mut url = url?;
    url.set_path("/");
    url.set_query(None);
    let encrypted = url.scheme() == "https";
    let request = match outbound.request(Method::GET, url) {
        Ok(request) => request,
        Err(error) => {
            return Some(Probe { encrypted, failure: Some(error.to_string()), ahead: None });
        }
    };
    let before = clock.now();
    match outbound::send(request, LIMITS).await {
        Ok(answer) => {
            let date = answer.headers.get(DATE).and_then(|date| date.to_str().ok());
            let date = date.and_then(|date| rfc2822::parse(date).ok());
            let ahead = date.map(|date| ahead(date.timestamp(), before, clock.now()));
            Some(Probe { encrypted, failure: None, ahead })
        }
        Err(CallError::NotSent(reason) | CallError::OutcomeUnknown(reason)) => {
            Some(Probe { encrypted, failure: Some(reason), ahead: None })
        }
    }
}

/// How far `theirs` lies outside the time that the call took.
fn ahead(theirs: Timestamp, before: Timestamp, after: Timestamp) -> SignedDuration {
    if theirs < before {
        // Their time has no fractions of a second.
        (theirs.duration_since(before) + SignedDuration::from_secs(1)).min(SignedDuration::ZERO)
    } else if theirs > after {
        theirs.duration_since(after)
    } else {
        SignedDuration::ZERO
    }
}

fn tls(probes: &[(&'static str, Probe)]) -> Finding {
    let check = "tls";
    let encrypted: Vec<_> = probes.iter().filter(|(_, probe)| probe.encrypted).collect();
    let failed: Vec<_> = encrypted
        .iter()
        .filter_map(|(name, probe)| Some(format!("{name}: {}", probe.failure.as_ref()?)))
        .collect();
    if !failed.is_empty() {
        return Finding::error(
            check,
            format!("no connection over https ({})", failed.join("; ")),
            "check the network, the certificate there and the trusted certificates here (ca-certificates)",
        );
    }
    match encrypted.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ") {
        none if none.is_empty() => Finding::ok(check, "nothing is configured that uses https"),
        names => Finding::ok(check, format!("certificates are trusted: {names}")),
    }
}

fn skew(probes: &[(&'static str, Probe)]) -> Finding {
    let check = "clock";
    let told = probes.iter().filter_map(|(name, probe)| Some((*name, probe.ahead?)));
    let Some((name, ahead)) = told.min_by_key(|(_, ahead)| ahead.abs()) else {
        let fix = "check it by hand: Inngest refuses signatures that are five minutes off";
        return Finding::warning(
            check,
            "no server gave its time, so this machine's clock could not be checked",
            fix,
        );
    };
    // One server may have a wrong clock; where even the nearest of all is far off, ours is wrong.
    let (seconds, side) =
        (ahead.abs().as_secs(), if ahead.is_positive() { "behind" } else { "ahead of" });
    let fix = "set this machine's clock, and keep it right with NTP";
    let message = format!("this machine is {seconds} s {side} {name}");
    match ahead.abs() {
        off if off > TOO_FAR => Finding::error(check, message, fix),
        off if off > FAR => Finding::warning(check, message, fix),
        _ => Finding::ok(check, format!("agrees with {name}")),
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::{Probe, ahead, skew, tls};
    use crate::doctor::Status;

    fn probe(ahead: i64, failure: Option<&str>) -> Probe {
        let ahead = failure.is_none().then(|| SignedDuration::from_secs(ahead));
        Probe { encrypted: true, failure: failure.map(str::to_owned), ahead }
    }

    #[test]
    fn a_clock_is_wrong_when_every_server_disagrees_with_it() {
        let status = |probes: &[(&'static str, Probe)]| skew(probes).status;
        assert_eq!(status(&[("a", probe(0, None)), ("b", probe(900, None))]), Status::Ok);
        assert_eq!(status(&[("a", probe(-31, None)), ("b", probe(900, None))]), Status::Warning);
        assert_eq!(status(&[("a", probe(-300, None)), ("b", probe(900, None))]), Status::Error);
        assert_eq!(status(&[("a", probe(0, Some("refused")))]), Status::Warning);
    }

    #[test]
    fn a_certificate_that_is_not_trusted_is_an_error() {
        let failed = tls(&[("the ERP", probe(0, Some("invalid peer certificate: Expired")))]);
        assert_eq!(failed.status, Status::Error);
        assert!(failed.message.contains("the ERP: invalid peer certificate"), "{failed}");
        assert_eq!(tls(&[("the ERP", probe(0, None))]).status, Status::Ok);
    }

    #[test]
    fn a_date_within_the_call_is_no_difference() {
        let at = |text: &str| text.parse::<jiff::Timestamp>().unwrap();
        let (before, after) = (at("2026-11-22T12:00:00.9Z"), at("2026-11-22T12:00:02Z"));
        for (theirs, seconds) in [
            ("2026-11-22T12:00:00Z", 0),
            ("2026-11-22T12:00:01Z", 0),
            ("2026-11-22T12:01:02Z", 60),
            ("2026-11-22T11:58:59.9Z", -60),
        ] {
            assert_eq!(ahead(at(theirs), before, after).as_secs(), seconds, "{theirs}");
        }
    }
}

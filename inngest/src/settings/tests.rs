use std::time::Duration;

use std::collections::HashMap;

use super::{Mode, Settings};
use crate::signing::SigningKey;

fn read(vars: &[(&str, &str)]) -> Result<Settings, Vec<String>> {
    let vars: HashMap<_, _> = vars.iter().copied().collect();
    Settings::from_lookup(|name| vars.get(name).map(|value| (*value).to_owned()))
        .map_err(|error| error.mistakes.iter().map(ToString::to_string).collect())
}

#[test]
fn the_default_is_cloud() {
    let settings = read(&[]).unwrap();
    assert_eq!(settings.mode, Mode::Cloud);
    assert_eq!(settings.api_origin, "https://api.inngest.com");
    assert_eq!(settings.event_origin, "https://inn.gs");
}

#[test]
fn inngest_dev_decides_the_mode() {
    for (value, mode, api) in [
        ("1", Mode::Dev, "http://localhost:8288"),
        ("true", Mode::Dev, "http://localhost:8288"),
        ("0", Mode::Cloud, "https://api.inngest.com"),
        ("false", Mode::Cloud, "https://api.inngest.com"),
        ("", Mode::Cloud, "https://api.inngest.com"),
        ("http://127.0.0.1:9999/", Mode::Dev, "http://127.0.0.1:9999"),
        ("localhost:8288", Mode::Dev, "http://localhost:8288"),
    ] {
        let settings = read(&[("INNGEST_DEV", value)]).unwrap();
        assert_eq!((settings.mode, settings.api_origin.as_str()), (mode, api), "{value}");
    }
    for value in ["off", "no", "dev", "cloud"] {
        assert!(read(&[("INNGEST_DEV", value)]).is_err(), "{value}");
    }
}

#[test]
fn specific_origins_win_over_general_ones() {
    let settings = read(&[
        ("INNGEST_DEV", "http://dev:1"),
        ("INNGEST_BASE_URL", "http://base:2/"),
        ("INNGEST_EVENT_API_BASE_URL", "http://events:3"),
    ])
    .unwrap();
    assert_eq!(settings.api_origin, "http://base:2");
    assert_eq!(settings.event_origin, "http://events:3");
}

#[test]
fn self_hosting_works_as_documented() {
    let settings = read(&[
        ("INNGEST_DEV", "0"),
        ("INNGEST_BASE_URL", "http://inngest:8288"),
        ("INNGEST_SIGNING_KEY", "0123456789abcdef"),
        ("INNGEST_EVENT_KEY", "key"),
    ])
    .unwrap();
    assert_eq!((settings.mode, settings.api_origin.as_str()), (Mode::Cloud, "http://inngest:8288"));
}

#[test]
fn all_mistakes_come_at_once_and_show_no_value() {
    let mistakes = read(&[
        ("INNGEST_DEV", "maybe"),
        ("INNGEST_BASE_URL", "ftp://x"),
        ("INNGEST_SERVE_PATH", "api"),
        ("INNGEST_SIGNING_KEY", "signkey-prod-secret!"),
    ])
    .unwrap_err();
    insta::assert_snapshot!(mistakes.join("\n"), @r"
    INNGEST_BASE_URL: must be an http or https URL without user, query or fragment
    INNGEST_DEV: must be 1, 0, or the address of a dev server such as http://localhost:8288
    INNGEST_SIGNING_KEY: the signing key must be hexadecimal, optionally after a `signkey-<env>-` prefix; copy it again from the Inngest dashboard
    INNGEST_SERVE_PATH: must begin with `/`, such as /api/inngest
    ");
}

#[test]
fn the_branch_of_the_platform_names_the_environment() {
    let settings = read(&[("RENDER_GIT_BRANCH", "feature")]).unwrap();
    assert_eq!(settings.env.as_deref(), Some("feature"));
    let settings = read(&[("RENDER_GIT_BRANCH", "feature"), ("INNGEST_ENV", "prod")]).unwrap();
    assert_eq!(settings.env.as_deref(), Some("prod"));
}

#[test]
fn a_branch_that_no_header_can_carry_is_a_mistake_of_its_variable() {
    for (variable, branch) in
        [("INNGEST_ENV", "a\u{7}b"), ("RENDER_GIT_BRANCH", "a\nb"), ("BRANCH_NAME", "a\u{7f}")]
    {
        let mistakes = read(&[(variable, branch)]).unwrap_err();
        let text = "has control characters, which no header can carry; it goes with every request to Inngest";
        assert_eq!(mistakes, [format!("{variable}: {text}")]);
    }
    // One that is not looked at does no harm.
    let settings = read(&[("INNGEST_ENV", "prod"), ("BRANCH", "a\u{7}b")]).unwrap();
    assert_eq!(settings.env.as_deref(), Some("prod"));
    assert!(read(&[("INNGEST_ENV", "ветка/новая")]).is_ok());
}

#[test]
fn origins_may_have_paths_and_slashes_and_hosts_of_any_alphabet() {
    for (value, origin) in [
        ("http://inngest:8288///", "http://inngest:8288"),
        ("https://proxy.example/inngest/", "https://proxy.example/inngest"),
        ("HTTPS://Inngest.Example:443", "https://inngest.example"),
        ("http://инн.example/путь", "http://xn--h1aka.example/%D0%BF%D1%83%D1%82%D1%8C"),
    ] {
        let names = ["INNGEST_BASE_URL", "INNGEST_SERVE_ORIGIN"].map(|name| (name, value));
        let settings = read(&names).unwrap();
        assert_eq!(settings.api_origin, origin);
        assert_eq!(settings.event_origin, origin);
        assert_eq!(settings.serve_origin.as_deref(), Some(origin));
        assert!(origin.parse::<http::Uri>().is_ok());
    }
}

#[test]
fn debug_shows_no_key() {
    let settings = read(&[("INNGEST_EVENT_KEY", "ev-5ecret"), ("INNGEST_SIGNING_KEY", "abcdef12")]);
    let debug = format!("{:?}", settings.unwrap());
    assert!(!debug.contains("5ecret") && !debug.contains("abcdef12"), "{debug}");
}

#[test]
fn p058_p091_switches_for_syncs() {
    let settings = read(&[]).unwrap();
    assert!(settings.unsigned_sync && settings.in_band_sync);
    assert!(!read(&[("INNGEST_ENABLE_UNAUTHED_SYNC", "FALSE")]).unwrap().unsigned_sync);
    let asked_for = ("INNGEST_ENABLE_UNAUTHED_SYNC", "1");
    assert_eq!(
        read(&[asked_for]).unwrap_err(),
        [
            "INNGEST_ENABLE_UNAUTHED_SYNC: needs INNGEST_SERVE_ORIGIN, the URL to register; any client could choose it otherwise"
        ]
    );
    assert!(
        read(&[asked_for, ("INNGEST_SERVE_ORIGIN", "https://a.example")]).unwrap().unsigned_sync
    );
    assert!(read(&[asked_for, ("INNGEST_DEV", "1")]).is_ok());
    assert!(!read(&[("INNGEST_ALLOW_IN_BAND_SYNC", "0")]).unwrap().in_band_sync);
    let mistakes = read(&[("INNGEST_ALLOW_IN_BAND_SYNC", "no")]).unwrap_err();
    assert_eq!(mistakes, ["INNGEST_ALLOW_IN_BAND_SYNC: must be 1, true, 0 or false"]);
}

#[test]
fn p191_streaming_is_off_unless_it_is_asked_for() {
    let streaming =
        |value| read(&[("INNGEST_STREAMING", value)]).map(|settings| settings.streaming);
    for off in ["", "0", "false"] {
        assert_eq!(streaming(off).unwrap(), None, "{off}");
    }
    for on in ["1", "true", "allow", "force"] {
        assert_eq!(streaming(on).unwrap(), Some(Duration::from_secs(3)), "{on}");
    }
    let mistakes = streaming("sometimes").unwrap_err();
    assert_eq!(mistakes, ["INNGEST_STREAMING: must be 1, true, 0 or false"]);
}

#[test]
fn white_space_around_a_value_is_no_part_of_it() {
    let settings = read(&[
        ("INNGEST_EVENT_KEY", " my-event-key\r\n"),
        ("INNGEST_SIGNING_KEY", "signkey-test-0123abcd\n"),
        ("INNGEST_SIGNING_KEY_FALLBACK", "\t4567cdef "),
        ("INNGEST_BASE_URL", "http://inngest:8288\n"),
    ])
    .unwrap();
    assert_eq!(settings.event_key.as_deref(), Some("my-event-key"));
    let keys = settings.signing_keys.unwrap();
    assert_eq!(keys.primary, SigningKey::new("signkey-test-0123abcd"));
    assert_eq!(keys.fallback, Some(SigningKey::new("4567cdef")));
    assert_eq!(settings.event_origin, "http://inngest:8288");
    assert!(Mode::from_lookup(|_| Some("1\n".to_owned())).unwrap() == Mode::Dev);
    assert_eq!(read(&[("INNGEST_EVENT_KEY", " \n")]).unwrap().event_key, None);
}

//! Configuration: what is understood, and what a person is told when it is not.

mod dotenv;
mod fields;

use inngest::Mode;
use secrecy::ExposeSecret as _;

use crate::amocrm::AmoCrmAuth;
use crate::config::{Config, EnvMap};
use crate::deals::{Dedupe, Rules};
use crate::erp::Body;
use crate::logging::LogFormat;

const SIGNING_KEY: &str = "signkey-prod-0123456789abcdef";

const PRODUCTION: &[(&str, &str)] = &[
    ("INNGEST_EVENT_KEY", "event-key-1"),
    ("INNGEST_SIGNING_KEY", SIGNING_KEY),
    ("AMOCRM_WEBHOOK_SECRET", "0123456789abcdef"),
    ("CRM_API_URL", "https://erp.example.org/api/rest.php"),
    ("CRM_API_KEY", "erp-key"),
    ("CRM_API_USERNAME", "robot"),
    ("CRM_API_PASSWORD", "hunter2 "),
];

/// Production, changed: an empty value removes the variable.
fn production(changes: &[(&str, &str)]) -> EnvMap {
    PRODUCTION.iter().chain(changes).copied().collect()
}

/// Development with these variables.
fn development(variables: &[(&str, &str)]) -> EnvMap {
    [("INNGEST_DEV", "1")].iter().chain(variables).copied().collect()
}

fn complaints(env: &EnvMap) -> Vec<String> {
    let mistakes = Config::load(env).err().map(|errors| errors.0).unwrap_or_default();
    mistakes.iter().map(ToString::to_string).collect()
}

fn complains_of(env: &EnvMap) -> Vec<String> {
    let name = |line: &String| line.split(':').next().unwrap_or_default().to_owned();
    complaints(env).iter().map(name).collect()
}

#[test]
fn development_needs_nothing_but_the_mode() {
    let config = Config::load(&development(&[])).unwrap();
    assert_eq!(config.inngest.mode, Mode::Dev);
    assert!(config.erp.is_none() && config.amocrm.is_none());
    assert_eq!((config.listen.host.as_str(), config.listen.port), ("127.0.0.1", 3000));
    assert_eq!(config.listen.admin, "127.0.0.1:3001".parse().unwrap());
    assert_eq!(config.database.url, "sqlite://prometei-flow.db");
    assert_eq!((config.rules, config.log.format), (Rules::default(), None));
    assert_eq!((config.log.filter.as_str(), config.warnings.len()), ("info", 0));
    assert!(config.webhook.secrets.is_empty());
}

#[test]
fn long_answers_begin_early_where_that_is_asked_for() {
    let streams = |value| {
        let config = Config::load(&development(&[("INNGEST_STREAMING", value)])).unwrap();
        config.inngest.streaming.is_some()
    };
    assert!(streams("1") && !streams("0") && !streams(""));
    assert_eq!(
        complains_of(&development(&[("INNGEST_STREAMING", "often")])),
        ["INNGEST_STREAMING"]
    );
}

#[test]
fn production_is_the_default_and_says_all_that_it_needs_at_once() {
    assert_eq!(
        complains_of(&EnvMap::default()),
        [
            "INNGEST_EVENT_KEY",
            "INNGEST_SIGNING_KEY",
            "AMOCRM_WEBHOOK_SECRET",
            "CRM_API_URL",
            "CRM_API_KEY",
            "CRM_API_USERNAME",
            "CRM_API_PASSWORD"
        ]
    );
    let config = Config::load(&production(&[])).unwrap();
    let erp = config.erp.unwrap();
    assert_eq!((config.inngest.mode, erp.entity_id, erp.body), (Mode::Cloud, 70, Body::Json));
    assert_eq!(
        (erp.field_deal_name.as_str(), erp.field_amount.as_str()),
        ("field_1039", "field_1040")
    );
    assert_eq!(erp.password.expose_secret(), "hunter2 ", "a secret is taken as it is");
    assert_eq!(erp.field_external_id, None);
}

#[test]
fn every_mistake_is_told_with_its_fix_and_without_secrets() {
    let env = production(&[
        ("PORT", "http"),
        ("ADMIN_ADDR", "here"),
        ("INNGEST_SIGNING_KEY", "signkey-prod-sesame"),
        ("INNGEST_BASE_URL", "inngest:8288"),
        ("AMOCRM_WEBHOOK_SECRET", "sesame"),
        ("AMOCRM_TRIGGER_STATUSES", "1:2,3"),
        ("AMOCRM_ACCOUNT_ID", "mine"),
        ("CRM_API_URL", "https://robot:sesame@erp.example.org"),
        ("CRM_FIELD_AMOUNT", "amount"),
        ("CRM_BODY", "xml"),
        ("LOG_FORMAT", "fancy"),
        ("DATABASE_URL", "mysql://flow:sesame@db/flow"),
    ]);
    let complaints = complaints(&env);
    assert_eq!(
        complaints,
        [
            "PORT: \"http\" is no port; write a number up to 65535",
            "ADMIN_ADDR: \"here\" is no address with a port; write it as 127.0.0.1:3001",
            "INNGEST_BASE_URL: must be an http or https URL without user, query or fragment",
            "INNGEST_SIGNING_KEY: the signing key must be hexadecimal, optionally after a \
             `signkey-<env>-` prefix; copy it again from the Inngest dashboard",
            "DATABASE_URL: is no database address; write sqlite://<path> or postgres://user:password@host/database",
            "AMOCRM_WEBHOOK_SECRET: is too short; make one of at least 16 random letters and digits",
            "AMOCRM_TRIGGER_STATUSES: \"3\" is no stage; write pipeline:status, several of them with commas",
            "AMOCRM_ACCOUNT_ID: \"mine\" is no id; write a positive number",
            "CRM_BODY: \"xml\" is not known; write json or form",
            "CRM_FIELD_AMOUNT: \"amount\" is no field; write field_ and its number, as field_1039",
            "CRM_API_URL: must not contain a user name or password; remove what stands before the @",
            "LOG_FORMAT: \"fancy\" is not known; write pretty or json",
        ]
    );
    assert!(!complaints.concat().contains("sesame"));
}

#[test]
fn the_mode_is_read_as_every_inngest_sdk_reads_it() {
    for (value, url) in [
        ("1", "http://localhost:8288"),
        ("true", "http://localhost:8288"),
        ("http://dev:8288", "http://dev:8288"),
        ("localhost:9999", "http://localhost:9999"),
    ] {
        let config = Config::load(&development(&[("INNGEST_DEV", value)])).unwrap();
        let settings = config.inngest;
        assert_eq!((settings.mode, settings.api_origin.as_str()), (Mode::Dev, url), "{value}");
    }
    for value in ["0", "false", ""] {
        let config = Config::load(&production(&[("INNGEST_DEV", value)])).unwrap();
        assert_eq!(config.inngest.mode, Mode::Cloud, "{value:?}");
    }
    assert_eq!(complains_of(&development(&[("INNGEST_DEV", "yes")])), ["INNGEST_DEV"]);
}

#[test]
fn half_a_group_is_a_mistake_also_in_development() {
    let erp = development(&[("CRM_API_URL", "http://localhost/api"), ("CRM_API_KEY", "k")]);
    assert_eq!(complains_of(&erp), ["CRM_API_USERNAME", "CRM_API_PASSWORD"]);
    let subdomain = development(&[("AMOCRM_SUBDOMAIN", "example")]);
    assert_eq!(
        complains_of(&subdomain),
        ["AMOCRM_CLIENT_ID", "AMOCRM_CLIENT_SECRET", "AMOCRM_REDIRECT_URI"]
    );
    let token = development(&[("AMOCRM_ACCESS_TOKEN", "t")]);
    assert_eq!(complains_of(&token), ["AMOCRM_SUBDOMAIN"]);
}

#[test]
fn an_erp_may_have_a_cyrillic_name() {
    let config = Config::load(&production(&[("CRM_API_URL", "https://ЦРМ.окна.рф/api")])).unwrap();
    assert_eq!(config.erp.unwrap().api_url.as_str(), "https://xn--l1ahr.xn--80atjc.xn--p1ai/api");
}

#[test]
fn amocrm_by_oauth_with_or_without_a_first_refresh_token() {
    let mut variables = vec![
        ("AMOCRM_CLIENT_ID", "id"),
        ("AMOCRM_CLIENT_SECRET", "secret"),
        ("AMOCRM_REDIRECT_URI", "https://deals.example.org/oauth/callback/"),
        ("AMOCRM_SUBDOMAIN", "example"),
        ("AMOCRM_ACCOUNT_ID", "32452514"),
    ];
    for first_token in [None, Some("refresh")] {
        variables.extend(first_token.map(|token| ("AMOCRM_REFRESH_TOKEN", token)));
        let settings = Config::load(&development(&variables)).unwrap().amocrm.unwrap();
        assert_eq!(settings.base_url.as_url().as_str(), "https://example.amocrm.ru/");
        assert_eq!(settings.account_id, Some(32_452_514));
        let AmoCrmAuth::OAuth(app) = settings.auth else {
            panic!("not OAuth");
        };
        assert_eq!(app.redirect_uri, "https://deals.example.org/oauth/callback/", "byte for byte");
        assert_eq!(
            app.first_refresh_token.map(|token| token.expose_secret().to_owned()).as_deref(),
            first_token
        );
    }
}

#[test]
fn a_long_lived_token_takes_the_place_of_oauth() {
    let variables = [
        ("AMOCRM_ACCESS_TOKEN", "token"),
        ("AMOCRM_BASE_URL", "https://example.kommo.com"),
        ("AMOCRM_CLIENT_ID", "left over"),
        ("AMOCRM_TRIGGER_STATUSES", "1234567:142"),
    ];
    let config = Config::load(&development(&variables)).unwrap();
    let settings = config.amocrm.unwrap();
    assert_eq!(settings.base_url.as_url().as_str(), "https://example.kommo.com/");
    assert!(matches!(settings.auth, AmoCrmAuth::LongLived { .. }));
    assert_eq!(config.warnings, ["AMOCRM_ACCESS_TOKEN: is used, and the OAuth variables are not"]);
}

#[test]
fn without_stages_the_record_is_made_too_early() {
    let amocrm = [("AMOCRM_ACCESS_TOKEN", "token"), ("AMOCRM_SUBDOMAIN", "example")];
    let warnings = |variable| {
        let variables: Vec<_> = amocrm.into_iter().chain([variable]).collect();
        Config::load(&development(&variables)).unwrap().warnings
    };
    assert_eq!(warnings(("AMOCRM_TRIGGER_STATUSES", "1234567:142")), [""; 0]);
    assert_eq!(warnings(("CRM_DEDUPE", "event")), [""; 0], "each event makes a record");
    let too_early = warnings(("CRM_DEDUPE", "lead"));
    assert_eq!(too_early.len(), 1);
    let says = "AMOCRM_TRIGGER_STATUSES: is not set: each lead gets its record when it is created";
    assert!(too_early[0].starts_with(says), "{too_early:?}");
}

#[test]
fn tokens_go_to_a_host_of_ours_and_never_in_the_clear() {
    let with = |name, value| {
        let base = [("AMOCRM_ACCESS_TOKEN", "token"), (name, value)];
        complains_of(&development(&base))
    };
    for good in
        ["http://127.0.0.1:9000", "http://localhost:9000", "http://[::1]:9000", "https://a.b"]
    {
        assert_eq!(with("AMOCRM_BASE_URL", good), [""; 0], "{good}");
    }
    for bad in
        ["http://example.amocrm.ru", "http://10.0.0.1", "ftp://a.b", "https://a.b/path", "a.b"]
    {
        assert_eq!(with("AMOCRM_BASE_URL", bad), ["AMOCRM_BASE_URL"], "{bad}");
    }
    for bad in ["evil.org/", "a.b", "-a", "A", "", "a@b", &"a".repeat(64)] {
        assert_eq!(with("AMOCRM_SUBDOMAIN", bad), ["AMOCRM_SUBDOMAIN"], "{bad}");
    }
}

#[test]
fn the_consent_page_cannot_take_the_place_of_another_page() {
    for path in ["/healthz", "/api/inngest/", "/", "/:id", "/*rest"] {
        let uri = format!("https://deals.example.org{path}");
        let variables = [
            ("AMOCRM_CLIENT_ID", "id"),
            ("AMOCRM_CLIENT_SECRET", "secret"),
            ("AMOCRM_REDIRECT_URI", uri.as_str()),
            ("AMOCRM_SUBDOMAIN", "example"),
        ];
        assert_eq!(complains_of(&development(&variables)), ["AMOCRM_REDIRECT_URI"], "{path}");
    }
}

#[test]
fn two_webhook_secrets_may_be_valid_while_they_are_changed() {
    let secrets = |value| Config::load(&production(&[("AMOCRM_WEBHOOK_SECRET", value)]));
    let both = "0123456789abcdef, fedcba9876543210";
    assert_eq!(secrets(both).unwrap().webhook.secrets.len(), 2);
    for bad in ["0123456789abcdef,short", ",", "0123456789abcdef,0123456789abcdeg,0123456789abcdeh"]
    {
        assert_eq!(secrets(bad).unwrap_err().0.len(), 1, "{bad}");
    }
}

#[test]
fn stages_and_other_values_arrive() {
    let config = Config::load(&production(&[
        ("AMOCRM_TRIGGER_STATUSES", "9679730:77186758, 1:142"),
        ("CRM_BODY", "form"),
        ("CRM_DEDUPE", "event"),
        ("CRM_FIELD_EXTERNAL_ID", "field_1050"),
        ("HOST", "0.0.0.0"),
        ("PORT", "0"),
        ("ADMIN_ADDR", "0.0.0.0:9090"),
        ("LOG_FORMAT", "json"),
    ]))
    .unwrap();
    assert_eq!(
        config.webhook.filter.trigger_statuses,
        Some(vec![(9_679_730, 77_186_758), (1, 142)])
    );
    let erp = config.erp.unwrap();
    assert_eq!((erp.body, config.rules.dedupe), (Body::Form, Dedupe::Event));
    assert_eq!(erp.field_external_id.as_deref(), Some("field_1050"));
    assert_eq!((config.listen.host.as_str(), config.listen.port), ("0.0.0.0", 0));
    assert_eq!(config.log.format, Some(LogFormat::Json));
    assert_eq!(config.warnings.len(), 1, "the admin listener is open: {:?}", config.warnings);
}

#[test]
fn what_is_allowed_but_dangerous_is_a_warning() {
    let warnings = |env: &EnvMap| Config::load(env).unwrap().warnings;
    let open = warnings(&development(&[("HOST", "0.0.0.0")]));
    assert_eq!(open, ["INNGEST_DEV: calls need no signature, and HOST lets other machines in"]);
    assert_eq!(warnings(&development(&[("HOST", "::1")])), [""; 0]);
    let plain = warnings(&production(&[("CRM_API_URL", "http://erp.example.org/api/rest.php")]));
    assert_eq!(plain, ["CRM_API_URL: is not encrypted; the password can be read on the way"]);
    let key = warnings(&production(&[("INNGEST_SIGNING_KEY", "0123456789abcdef")]));
    assert!(key[0].starts_with("INNGEST_SIGNING_KEY: has no signkey- prefix"), "{key:?}");
}

#[test]
fn each_listener_and_each_field_needs_its_own() {
    assert_eq!(complains_of(&development(&[("PORT", "3001")])), ["ADMIN_ADDR"]);
    assert_eq!(
        complains_of(&development(&[("CRM_FIELD_AMOUNT", "field_1039")])),
        ["CRM_FIELD_AMOUNT"]
    );
    let marker = development(&[("CRM_FIELD_EXTERNAL_ID", "field_1040")]);
    assert_eq!(complains_of(&marker), ["CRM_FIELD_EXTERNAL_ID"]);
}

#[test]
fn a_value_may_come_from_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str, content: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.display().to_string()
    };
    let (key, empty) = (path("key", "from file\n\n"), path("empty", "\n"));
    let load = |variable: &str, value: &str| {
        Config::load(&production(&[("CRM_API_KEY", ""), (variable, value)]))
    };
    let config = load("CRM_API_KEY_FILE", &key).unwrap();
    assert_eq!(config.erp.unwrap().key.expose_secret(), "from file\n", "one newline is cut off");

    for bad in [empty.as_str(), "/nowhere/key"] {
        let errors = load("CRM_API_KEY_FILE", bad).unwrap_err();
        assert_eq!((errors.0.len(), errors.0[0].variable.as_str()), (1, "CRM_API_KEY_FILE"));
    }
    let both = complaints(&production(&[("CRM_API_KEY_FILE", &key)]));
    let expected =
        "CRM_API_KEY_FILE: CRM_API_KEY is set too, and only one may be; remove one of the two";
    assert_eq!(both, [expected]);
}

#[test]
fn nothing_secret_is_in_the_debug_output() {
    let config = Config::load(&production(&[
        ("AMOCRM_WEBHOOK_SECRET", "sesame-0123456789"),
        ("CRM_API_KEY", "sesame"),
        ("CRM_API_PASSWORD", "sesame"),
        ("AMOCRM_CLIENT_ID", "id"),
        ("AMOCRM_CLIENT_SECRET", "sesame"),
        ("AMOCRM_REDIRECT_URI", "https://deals.example.org/oauth/callback"),
        ("AMOCRM_REFRESH_TOKEN", "sesame"),
        ("AMOCRM_SUBDOMAIN", "example"),
    ]));
    let shown = format!("{:?}", config.unwrap());
    assert!(!shown.contains("sesame") && !shown.contains("0123456789abcdef"), "{shown}");
}

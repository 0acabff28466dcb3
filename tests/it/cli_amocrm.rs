//! The commands that set a connection up, and the one that looks at it, as a person runs them.

use std::path::Path;
use std::process::Command;

use sandbox::{FakeAmoCrm, FakeAmoCrmSettings};
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

const SECRET: &str = "webhook-5ecret-of-the-test";

struct Desk {
    amocrm: FakeAmoCrm,
    folder: TempDir,
    _stop: DropGuard,
}

struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Desk {
    async fn new() -> Self {
        let stop = CancellationToken::new();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let amocrm =
            FakeAmoCrm::start(listener, stop.clone(), FakeAmoCrmSettings::default()).unwrap();
        Self { amocrm, folder: tempfile::tempdir().unwrap(), _stop: stop.drop_guard() }
    }

    /// Runs a command in the desk's folder. What it says shows no secret.
    async fn run(&self, arguments: &[&str], changes: &[(&str, &str)]) -> Said {
        let fake = FakeAmoCrmSettings::default();
        let variables = [
            ("INNGEST_DEV", "1"),
            ("AMOCRM_BASE_URL", self.amocrm.url().as_str()),
            ("AMOCRM_CLIENT_ID", &fake.client_id),
            ("AMOCRM_CLIENT_SECRET", &fake.client_secret),
            ("AMOCRM_REDIRECT_URI", "https://deals.example.org/oauth/callback"),
            ("AMOCRM_WEBHOOK_SECRET", SECRET),
        ];
        let mut command = Command::new(env!("CARGO_BIN_EXE_prometei-flow"));
        command.args(arguments).env_clear().envs(variables).envs(changes.iter().copied());
        command.current_dir(Path::new(self.folder.path()));
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let said =
            Said { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) };
        for secret in [SECRET, "fake-amocrm-secret", "fake-access", "fake-refresh", "fake-code"] {
            let all = format!("{}{}", said.out, said.err);
            assert!(!all.contains(secret), "{secret} is in\n{all}");
        }
        said
    }
}

#[tokio::test]
async fn a_code_connects_amocrm_and_a_webhook_follows() {
    let desk = Desk::new().await;
    desk.amocrm.configure(|amocrm| {
        amocrm.redirect_uri = "https://deals.example.org/oauth/callback".into();
    });
    let code = desk.amocrm.issue_code();
    let said = desk.run(&["amocrm", "authorize", "--code", &code], &[]).await;
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert!(said.out.contains("AMOCRM_ACCOUNT_ID=32452514"), "{}", said.out);
    assert!(said.out.contains("Next: prometei-flow amocrm subscribe"), "{}", said.out);

    for found in ["amoCRM has no webhook for this address", "the webhook is in place"] {
        let said = desk.run(&["amocrm", "subscribe"], &[]).await;
        assert_eq!(said.code, Some(0), "{}", said.err);
        let address = "https://deals.example.org/api/amocrm-webhook";
        assert_eq!(
            said.out,
            format!("{address}: found: {found}\n{address}: now: the webhook is in place\n")
        );
    }
    let webhook = format!("https://deals.example.org/api/amocrm-webhook?secret={SECRET}");
    assert_eq!(desk.amocrm.webhooks(), [webhook]);
    assert_eq!(desk.amocrm.refresh_tokens_spent_twice(), 0);
}

#[tokio::test]
async fn a_code_that_amocrm_refuses_is_an_error() {
    let desk = Desk::new().await;
    let said = desk.run(&["amocrm", "authorize", "--code", "guess"], &[]).await;
    assert_eq!((said.code, said.out.as_str()), (Some(1), ""));
    assert!(said.err.contains("Redirect URI is not associated with client"), "{}", said.err);
}

#[tokio::test]
async fn without_a_code_the_link_is_printed() {
    let desk = Desk::new().await;
    let said = desk.run(&["amocrm", "authorize"], &[]).await;
    assert_eq!(said.code, Some(0), "{}", said.err);
    let link = format!("{}oauth?client_id=fake-amocrm-client&state=", desk.amocrm.url());
    assert!(said.out.contains(&link), "{}", said.out);
    assert!(said.out.contains("https://deals.example.org/oauth/start"), "{}", said.out);
    assert!(desk.amocrm.requests().is_empty());

    let token = [("AMOCRM_ACCESS_TOKEN", "opaque")];
    let said = desk.run(&["amocrm", "authorize"], &token).await;
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("a long-lived token needs no consent"), "{}", said.err);
}

#[tokio::test]
async fn without_amocrm_the_commands_say_what_to_set() {
    let desk = Desk::new().await;
    let none = ["BASE_URL", "CLIENT_ID", "CLIENT_SECRET", "REDIRECT_URI"];
    let none = none.map(|name| format!("AMOCRM_{name}"));
    let none: Vec<_> = none.iter().map(|name| (name.as_str(), "")).collect();
    for command in ["authorize", "subscribe"] {
        let said = desk.run(&["amocrm", command], &none).await;
        assert_eq!(said.code, Some(1));
        assert!(
            said.err.contains("amoCRM is not configured: set AMOCRM_SUBDOMAIN"),
            "{}",
            said.err
        );
    }
}

#[tokio::test]
async fn doctor_prints_lines_or_json_and_fails_on_an_error() {
    let desk = Desk::new().await;
    let nobody = [("INNGEST_DEV", "http://127.0.0.1:1")];
    let said = desk.run(&["doctor"], &nobody).await;
    assert_eq!(said.code, Some(1));
    assert!(said.out.contains("error    inngest api"), "{}", said.out);
    assert!(said.out.contains("warning  erp login"), "{}", said.out);
    assert!(said.err.starts_with("error: doctor found "), "{}", said.err);

    let said = desk.run(&["doctor", "--json"], &nobody).await;
    assert_eq!(said.code, Some(1));
    let report: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(report["ok"], false);
    let checks = report["checks"].as_array().unwrap();
    let inngest = checks.iter().find(|found| found["check"] == "inngest api").unwrap();
    assert_eq!(inngest["status"], "error");
    assert!(inngest["fix"].as_str().unwrap().contains("start the dev server"));
}
